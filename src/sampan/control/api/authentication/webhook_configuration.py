"""The file that names who is asked about tokens: a kubeconfig, as kube-apiserver's
`--authentication-token-webhook-config-file` has it.

Read once, at the start. Its cluster is the webhook, its user is how this server shows itself there;
paths are told from the file's own folder.
"""

import base64
import ssl
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import yaml

from sampan.control.api.authentication.configuration import InvalidConfiguration


class WebhookAddress(msgspec.Struct, frozen=True):
    """Where reviews are posted, whom to trust there, and the headers that go along."""

    base: str
    path: str
    context: ssl.SSLContext
    headers: dict[str, str]


class _Cluster(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    server: str
    certificate_authority: str = ""
    certificate_authority_data: str = ""


class _User(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    client_certificate: str = ""
    client_key: str = ""
    token: str = ""


class _Context(msgspec.Struct):
    cluster: str
    user: str = ""


class _NamedCluster(msgspec.Struct):
    name: str
    cluster: _Cluster


class _NamedUser(msgspec.Struct):
    name: str
    user: _User


class _NamedContext(msgspec.Struct):
    name: str
    context: _Context


class _Kubeconfig(msgspec.Struct, rename="kebab"):
    clusters: list[_NamedCluster]
    contexts: list[_NamedContext]
    current_context: str
    users: list[_NamedUser] = []


_Entry = TypeVar("_Entry", _NamedCluster, _NamedUser, _NamedContext)


def read(path: Path) -> WebhookAddress:
    """Raises OSError, InvalidConfiguration."""
    try:
        content: Any = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        document = msgspec.convert(content, _Kubeconfig)
        context = _named(document.contexts, document.current_context).context
        cluster = _named(document.clusters, context.cluster).cluster
        user = _named(document.users, context.user).user if context.user else _User()
        trusted = _trusting(path.parent, cluster, user)
    except (yaml.YAMLError, msgspec.ValidationError, ValueError, RecursionError) as error:
        raise InvalidConfiguration(f"{path}: {error}") from error
    parts = urlsplit(cluster.server)
    if parts.scheme != "https" or not parts.netloc:
        raise InvalidConfiguration(f"{path}: {cluster.server!r} is not an HTTPS address")
    headers = {"Authorization": f"Bearer {user.token}"} if user.token else {}
    return WebhookAddress(f"https://{parts.netloc}", parts.path or "/", trusted, headers)


def _named(entries: list[_Entry], name: str) -> _Entry:
    found = next((it for it in entries if it.name == name), None)
    if found is None:
        raise ValueError(f"there is no entry {name!r}")
    return found


def _trusting(folder: Path, cluster: _Cluster, user: _User) -> ssl.SSLContext:
    """Raises OSError, ValueError, ssl.SSLError (which is an OSError)."""
    authorities = base64.b64decode(cluster.certificate_authority_data).decode()
    if cluster.certificate_authority:
        authorities = (folder / cluster.certificate_authority).read_text()
    context = ssl.create_default_context(cadata=authorities or None)
    if user.client_certificate:
        context.load_cert_chain(folder / user.client_certificate, folder / user.client_key)
    return context
