"""Which resources are encrypted in the store, and with which keys: the file that says so.

The form is Kubernetes' `EncryptionConfiguration` (apiserver.config.k8s.io/v1) with the
providers `aesgcm` and `identity`. Of several providers and keys every one may read, and the
first writes. It must not know how values are stored.
"""

import base64
import binascii
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sampan.foundation.pki.files import make_private_folder, write_atomically
from sampan.foundation.settings import Instance

KEY_BYTES = 32
ENCRYPTED_BY_DEFAULT = ("secrets",)

_KEY_SIZES = (16, 24, 32)
_VERSION = "apiserver.config.k8s.io/v1"
_KIND = "EncryptionConfiguration"


class InvalidEncryption(ValueError):
    """The configuration can't be understood, or names what isn't there."""


class NamedKey(msgspec.Struct, frozen=True):
    """A key of AES."""

    name: str
    secret: bytes

    def __repr__(self) -> str:
        return f"NamedKey({self.name!r})"


class EncryptedResources(msgspec.Struct, frozen=True):
    """Resources (`secrets`, `widgets.example.org`, `*.apps`, `*.*`) and their keys."""

    resources: tuple[str, ...]
    keys: tuple[NamedKey, ...]
    write_plain: bool = False


class Record(msgspec.Struct, frozen=True):
    """What the server did last: the keys that write, and how many values it wrote anew."""

    keys: tuple[str, ...]
    values: int
    time: str


def path_of(instance: Instance) -> Path:
    """Where an instance's configuration lies."""
    return instance.configuration_folder / "encryption.yaml"


def record_path(instance: Instance) -> Path:
    """Where the server leaves its Record."""
    return instance.state_folder / "server" / "encryption.json"


def writing_keys(configuration: tuple[EncryptedResources, ...]) -> tuple[str, ...]:
    """The names of the keys that new values get, one for each rule that has any."""
    return tuple(rule.keys[0].name for rule in configuration if rule.keys and not rule.write_plain)


def first_configuration(secret: bytes, now: datetime) -> tuple[EncryptedResources, ...]:
    """What a new instance begins with."""
    return (EncryptedResources(ENCRYPTED_BY_DEFAULT, (NamedKey(_key_name(now), secret),)),)


def rotated(
    configuration: tuple[EncryptedResources, ...], secret: bytes, now: datetime
) -> tuple[EncryptedResources, ...]:
    """The same with a new key that writes; the old ones still read."""
    new = NamedKey(_key_name(now), secret)
    return tuple(
        EncryptedResources(rule.resources, (new, *rule.keys)) if rule.keys else rule
        for rule in configuration
    )


def parse(document: bytes) -> tuple[EncryptedResources, ...]:
    """Raises InvalidEncryption."""
    import yaml

    try:
        tree = yaml.load(document, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise InvalidEncryption(f"it is no YAML: {error}") from error
    if not isinstance(tree, dict) or (tree.get("apiVersion"), tree.get("kind")) != (
        _VERSION,
        _KIND,
    ):
        raise InvalidEncryption(f"it must be a {_KIND} of {_VERSION}")
    rules = tree.get("resources")
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise InvalidEncryption("resources: it must be a list of objects")
    return tuple(_rule(rule) for rule in rules)


def render(configuration: tuple[EncryptedResources, ...]) -> bytes:
    """The file's content."""
    import yaml

    rules = [
        {"resources": list(rule.resources), "providers": _providers(rule)} for rule in configuration
    ]
    tree = {"apiVersion": _VERSION, "kind": _KIND, "resources": rules}
    text: str = yaml.safe_dump(tree, sort_keys=False)
    return text.encode()


def read(path: Path) -> tuple[EncryptedResources, ...]:
    """Raises InvalidEncryption, which names the file; OSError."""
    try:
        return parse(path.read_bytes())
    except InvalidEncryption as error:
        raise InvalidEncryption(f"{path}: {error}") from error


def write(path: Path, configuration: tuple[EncryptedResources, ...]) -> None:
    """For its owner alone, whole or not at all. Raises OSError."""
    make_private_folder(path.parent)
    write_atomically(path, render(configuration))


def _rule(tree: dict[str, Any]) -> EncryptedResources:
    resources, providers = tree.get("resources"), tree.get("providers")
    if not isinstance(resources, list) or not all(isinstance(it, str) for it in resources):
        raise InvalidEncryption("resources: each needs a list of names in `resources`")
    if not isinstance(providers, list) or not providers:
        raise InvalidEncryption(f"resources {resources}: at least one provider is needed")
    keys: list[NamedKey] = []
    for provider in providers:
        match provider:
            case {"identity": _}:
                pass
            case {"aesgcm": {"keys": list(given)}} if given:
                keys += [_key(it) for it in given]
            case _:
                raise InvalidEncryption(
                    f"resources {resources}: a provider must be `aesgcm` with `keys`, or `identity`"
                )
    return EncryptedResources(tuple(resources), tuple(keys), "identity" in providers[0])


def _key(tree: Any) -> NamedKey:
    match tree:
        case {"name": str(name), "secret": str(text)}:
            pass
        case _:
            raise InvalidEncryption("a key has a `name` and a `secret`")
    try:
        secret = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InvalidEncryption(f"the key {name!r} is not in base64") from error
    if len(secret) not in _KEY_SIZES:
        raise InvalidEncryption(f"the key {name!r} must have 16, 24 or 32 bytes")
    return NamedKey(name, secret)


def _providers(rule: EncryptedResources) -> list[dict[str, Any]]:
    keys = [
        {"name": key.name, "secret": base64.b64encode(key.secret).decode()} for key in rule.keys
    ]
    encrypting: list[dict[str, Any]] = [{"aesgcm": {"keys": keys}}] if keys else []
    plain: dict[str, Any] = {"identity": {}}
    return [plain, *encrypting] if rule.write_plain else [*encrypting, plain]


def _key_name(now: datetime) -> str:
    return f"key-{now:%Y%m%dT%H%M%S%f}"
