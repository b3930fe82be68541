"""ConfigMap, Secret and ServiceAccount: what pods are given to work with."""

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from sampan.kubernetes.kinds.columns import AGE, NAME, text
from sampan.kubernetes.kinds.kind import Cause, Object, Subresource
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, too_long

MAXIMUM_SIZE = 1 << 20
_FROZEN = "field is immutable when `immutable` is set"
_ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name"
_DOCKER_KEYS = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}
_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _check_keys(keys: Iterable[str], field: str) -> Iterator[Cause]:
    for key in keys:
        for message in names.config_key(key):
            yield invalid(f"{field}[{key}]", key, message)


def _check_frozen(new: Object, old: Object | None, fields: tuple[str, ...]) -> Iterator[Cause]:
    if old is None or not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield forbidden("immutable", _FROZEN)
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            yield forbidden(field, _FROZEN)


def _config_map_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    data, binary = new.get("data") or {}, new.get("binaryData") or {}
    yield from _check_keys(data, "data")
    yield from _check_keys(binary, "binaryData")
    for key in data.keys() & binary.keys():
        yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    size = sum(len(it.encode()) for it in data.values())
    size += sum(_decoded_size(it) for it in binary.values())
    if size > MAXIMUM_SIZE:
        yield too_long("", MAXIMUM_SIZE)
    yield from _check_frozen(new, old, ("data", "binaryData"))


def _decoded_size(content: str) -> int:
    return len(content) // 4 * 3 - content[-2:].count("=")


def _default_secret(secret: Object) -> None:
    if not secret.get("type"):
        secret["type"] = "Opaque"
    written = secret.pop("stringData", None)
    for key, value in (written or {}).items():
        secret.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()


def _secret_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    data = new.get("data") or {}
    yield from _check_keys(data, "data")
    if sum(_decoded_size(it) for it in data.values()) > MAXIMUM_SIZE:
        yield too_long("data", MAXIMUM_SIZE)
    for key in _REQUIRED_KEYS.get(new.get("type", ""), ()):
        if key not in data:
            yield required(f"data[{key}]")
    yield from _check_purpose(new, data)
    if old is not None:
        yield from check_immutable(new.get("type", ""), old.get("type"), "type")
    yield from _check_frozen(new, old, ("data",))


def _check_purpose(secret: Object, data: dict[str, str]) -> Iterator[Cause]:
    """What a secret of a certain type must hold besides its keys."""
    kind = secret.get("type", "")
    if kind in _DOCKER_KEYS and _DOCKER_KEYS[kind] in data:
        yield from _check_docker_configuration(_DOCKER_KEYS[kind], data)
    elif kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        yield required("data[username]")
        yield required("data[password]")
    elif kind == "kubernetes.io/service-account-token":
        annotations = secret["metadata"].get("annotations") or {}
        if not annotations.get(_ACCOUNT_ANNOTATION):
            yield required(f"metadata.annotations[{_ACCOUNT_ANNOTATION}]")


def _check_docker_configuration(key: str, data: dict[str, str]) -> Iterator[Cause]:
    """A JSON object; its contents are never shown."""
    try:
        msgspec.json.decode(base64.b64decode(data[key], validate=True), type=dict[str, Any])
    except (binascii.Error, msgspec.DecodeError):
        yield invalid(f"data[{key}]", "<secret contents redacted>", "must be a JSON object")


CONFIG_MAP = make(
    CONFIG_MAPS,
    rules=_config_map_rules,
    short_names=("cm",),
    columns=(
        NAME,
        text(
            "Data",
            lambda obj: len(obj.get("data") or ()) + len(obj.get("binaryData") or ()),
            about="The number of keys.",
        ),
        AGE,
    ),
)

SECRET = make(
    SECRETS,
    default=_default_secret,
    rules=_secret_rules,
    selectable=("type",),
    columns=(
        NAME,
        text("Type", lambda obj: obj.get("type", ""), about="What the secret is for."),
        text("Data", lambda obj: len(obj.get("data") or ()), about="The number of keys."),
        AGE,
    ),
)

SERVICE_ACCOUNT = make(
    SERVICE_ACCOUNTS,
    short_names=("sa",),
    subresources=(Subresource("token", "TokenRequest", "authentication.k8s.io/v1", ("create",)),),
    columns=(
        NAME,
        text("Secrets", lambda obj: len(obj.get("secrets") or ()), about="Secrets it may use."),
        AGE,
    ),
)
