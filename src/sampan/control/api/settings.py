"""What an API server needs to know of the instance it serves."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec

from sampan.foundation.pki.contexts import KeyPairPaths
from sampan.foundation.settings import Instance


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Ranges, addresses and defaults; `toleration_seconds` is how long a pod stays by default
    on a node that is not ready or unreachable. `token_file` and `authentication_file` name who
    may show which tokens, beside the cluster's own, and `token_webhook_file` who is asked about
    all others (see `authentication/`). At most
    `concurrent_requests` are served at once, divided by priority levels (see `fairness/`); what
    is done is told in `audit_log`, as `audit_policy_file` says (see `audit/`). `client_authority`
    is the certificate (PEM) of who signs those of clients. With `front_proxy_client` requests
    are passed on to the servers of APIServices, which trust `front_proxy_authority` (PEM)."""

    service_range: IPv4Network
    kubernetes_service_address: IPv4Address
    dns_service_address: IPv4Address
    advertised_address: IPv4Address
    port: int = 6443
    node_ports: tuple[int, int] = (30000, 32767)
    cluster_domain: str = "cluster.local"
    toleration_seconds: int = 5
    token_file: Path | None = None
    authentication_file: Path | None = None
    token_webhook_file: Path | None = None
    concurrent_requests: int = 600
    audit_log: Path | None = None
    audit_policy_file: Path | None = None
    client_authority: str = ""
    front_proxy_authority: str = ""
    front_proxy_client: KeyPairPaths | None = None

    @property
    def issuer(self) -> str:
        """Who signs the tokens of service accounts, and their audience by default."""
        return f"https://kubernetes.default.svc.{self.cluster_domain}"


def settings_of(instance: Instance) -> ApiSettings:
    """The settings that follow from an instance's name."""
    return ApiSettings(
        service_range=instance.service_range,
        kubernetes_service_address=instance.kubernetes_service_address,
        dns_service_address=instance.dns_service_address,
        advertised_address=instance.node_address(1),
        port=instance.api_port,
        cluster_domain=instance.cluster_domain,
    )
