"""The credentials of one cluster: where they lie, and how they come to be and are renewed.

Knows which parts of a cluster need which certificate; knows no server that uses them.
Layout of the folder (mode 700; every key 600):

    ca.crt ca.key                       the cluster's authority
    api-server.crt .key                 the API's serving certificate
    administrator.crt .key              group system:masters
    kubelet-client.crt .key             the API's identity towards nodes
    front-proxy-ca.crt .key             the authority that vouches for who passes requests on
    front-proxy-client.crt .key         the API's identity towards the servers behind it
    service-account.key                 signs the tokens of workloads
    service-account.NAME.key            one that it replaced; its tokens are still taken
    nodes/NAME/client.crt .key          group system:nodes
    nodes/NAME/server.crt .key          the node's serving certificate
"""

import re
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import msgspec

from sampan.foundation.pki.authority import Address, Authority, KeyPair, Usage, generate_key
from sampan.foundation.pki.contexts import KeyPairPaths
from sampan.foundation.pki.files import exclusive, make_private_folder, write_atomically
from sampan.foundation.pki.subjects import (
    ADMINISTRATORS,
    FRONT_PROXY_CLIENT,
    KUBELET_CLIENT,
    NODE_PREFIX,
    NODES_GROUP,
)
from sampan.foundation.settings import Instance

_RENEW_BEFORE = timedelta(days=30)
_NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class _Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate says about who holds it."""

    common_name: str
    usage: Usage
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()

    @property
    def alternatives(self) -> frozenset[str]:
        return frozenset(self.dns_names) | {str(address) for address in self.addresses}


class NodeCredentials(msgspec.Struct, frozen=True):
    """What one node shows: to the API as a client, and to the API's calls as a server."""

    client: KeyPairPaths
    server: KeyPairPaths


class ClusterCredentials(msgspec.Struct, frozen=True):
    """The paths of a cluster's credentials; `prepare` sees that they are there."""

    folder: Path
    instance: Instance

    @property
    def authority(self) -> Path:
        """The authority's certificate, which everyone trusts."""
        return self.folder / "ca.crt"

    @property
    def authority_key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def api_server(self) -> KeyPairPaths:
        return _pair(self.folder, "api-server")

    @property
    def administrator(self) -> KeyPairPaths:
        return _pair(self.folder, "administrator")

    @property
    def kubelet_client(self) -> KeyPairPaths:
        return _pair(self.folder, "kubelet-client")

    @property
    def front_proxy_authority(self) -> KeyPairPaths:
        """Servers behind this API believe whom its certificates name; nobody else trusts it."""
        return _pair(self.folder, "front-proxy-ca")

    @property
    def front_proxy_client(self) -> KeyPairPaths:
        return _pair(self.folder, "front-proxy-client")

    @property
    def service_account_key(self) -> Path:
        return self.folder / "service-account.key"

    def replaced_service_account_keys(self) -> tuple[bytes, ...]:
        """The keys that were put aside by renaming them; a rotation is that and a restart.

        Raises OSError.
        """
        found = sorted(self.folder.glob("service-account.*.key"))
        return tuple(path.read_bytes() for path in found)

    def node_credentials(self, number: int, name: str, now: datetime) -> NodeCredentials:
        """The credentials of `node-NUMBER`, made or renewed where needed. Raises OSError."""
        if not _NODE_NAME.fullmatch(name) or ".." in name:
            raise ValueError(f"{name!r} is not the name of a node")
        folder = self.folder / "nodes" / name
        credentials = NodeCredentials(_pair(folder, "client"), _pair(folder, "server"))
        with exclusive(self.folder):
            make_private_folder(folder.parent)
            make_private_folder(folder)
            authority = _ensure_cluster_authority(self, now)
            address = self.instance.node_address(number)
            _ensure_pair(authority, credentials.client, _node_client(name), now)
            _ensure_pair(authority, credentials.server, _node_server(name, address), now)
        return credentials


def prepare(folder: Path, instance: Instance, now: datetime) -> ClusterCredentials:
    """Make what is missing in `folder` and renew what expires within 30 days.

    Idempotent, and safe beside another process that does the same. A renewed authority keeps
    its key, so that what it issued before stays valid. Raises OSError.
    """
    credentials = ClusterCredentials(folder, instance)
    make_private_folder(folder)
    with exclusive(folder):
        authority = _ensure_cluster_authority(credentials, now)
        _ensure_pair(authority, credentials.api_server, _api_server(instance), now)
        _ensure_pair(authority, credentials.administrator, _ADMINISTRATOR, now)
        _ensure_pair(authority, credentials.kubelet_client, _KUBELET_CLIENT, now)
        name = f"{instance.full_name}-front-proxy-ca"
        front_proxy = _ensure_authority(credentials.front_proxy_authority, name, now)
        _ensure_pair(front_proxy, credentials.front_proxy_client, _FRONT_PROXY_CLIENT, now)
        if not credentials.service_account_key.exists():
            write_atomically(credentials.service_account_key, generate_key())
    return credentials


_ADMINISTRATOR = _Subject(
    common_name="kubernetes-admin", organizations=(ADMINISTRATORS,), usage="client"
)
_KUBELET_CLIENT = _Subject(
    common_name=KUBELET_CLIENT, organizations=(ADMINISTRATORS,), usage="client"
)

_FRONT_PROXY_CLIENT = _Subject(common_name=FRONT_PROXY_CLIENT, usage="client")


def _api_server(instance: Instance) -> _Subject:
    service = "kubernetes.default.svc"
    return _Subject(
        common_name="kube-apiserver",
        usage="server",
        dns_names=(
            "localhost",
            "kubernetes",
            "kubernetes.default",
            service,
            f"{service}.{instance.cluster_domain}",
        ),
        addresses=tuple(
            dict.fromkeys(
                (
                    IPv4Address("127.0.0.1"),
                    instance.loopback_address,
                    instance.node_address(1),
                    instance.kubernetes_service_address,
                )
            )
        ),
    )


def _node_client(name: str) -> _Subject:
    return _Subject(
        common_name=f"{NODE_PREFIX}{name}", organizations=(NODES_GROUP,), usage="client"
    )


def _node_server(name: str, address: IPv4Address) -> _Subject:
    return _Subject(
        common_name=f"{NODE_PREFIX}{name}",
        organizations=(NODES_GROUP,),
        usage="server",
        dns_names=(name,),
        addresses=(address,),
    )


def _pair(folder: Path, name: str) -> KeyPairPaths:
    return KeyPairPaths(folder / f"{name}.crt", folder / f"{name}.key")


def _ensure_cluster_authority(credentials: ClusterCredentials, now: datetime) -> Authority:
    paths = KeyPairPaths(credentials.authority, credentials.authority_key)
    return _ensure_authority(paths, f"{credentials.instance.full_name}-ca", now)


def _ensure_authority(paths: KeyPairPaths, name: str, now: datetime) -> Authority:
    # The key is written first: a crash in between leaves a key that the next try certifies.
    if not paths.key.exists():
        write_atomically(paths.key, generate_key())
        paths.certificate.unlink(missing_ok=True)
    key = paths.key.read_bytes()
    if paths.certificate.exists():
        authority = Authority(paths.certificate.read_bytes(), key)
        if authority.expires - now > _RENEW_BEFORE:
            return authority
    authority = Authority.create(name, now, key=key)
    write_atomically(paths.certificate, authority.certificate, 0o644)
    return authority


def _ensure_pair(
    authority: Authority, paths: KeyPairPaths, subject: _Subject, now: datetime
) -> None:
    if paths.certificate.exists() and paths.key.exists():
        pair = KeyPair(paths.certificate.read_bytes(), paths.key.read_bytes())
        if authority.vouches_for(
            pair, until=now + _RENEW_BEFORE, alternatives=subject.alternatives
        ):
            return
    pair = authority.issue(
        subject.common_name,
        organizations=subject.organizations,
        dns_names=subject.dns_names,
        addresses=subject.addresses,
        usage=subject.usage,
        now=now,
    )
    write_atomically(paths.key, pair.key)
    write_atomically(paths.certificate, pair.certificate, 0o644)
