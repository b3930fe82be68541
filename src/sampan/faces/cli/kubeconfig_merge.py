"""The instance's context in the user's own kubeconfig: put in by `up`, taken out by `down`.

The user's file is the first of $KUBECONFIG, else ~/.kube/config. What it had as its current
context is written down beside the instance's configuration and given back.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
import yaml

from sampan.foundation.settings import Instance

Document = dict[str, Any]
_SECTIONS = ("clusters", "users", "contexts")


class Displaced(msgspec.Struct, frozen=True):
    """What `merge` displaced: in which file, and the context that was current ("" for none)."""

    file: str
    context: str


def merge(instance: Instance) -> Path:
    """Add the instance's context and make it current; returns the file. Raises OSError."""
    path = _users_file()
    document = _read(path)
    added = msgspec.json.decode(instance.kubeconfig.read_bytes(), type=Document)
    current = document.get("current-context") or ""
    if current != added["current-context"] or not _record(instance).exists():
        context = "" if current == added["current-context"] else current
        _write(_record(instance), msgspec.json.encode(Displaced(str(path), context)))
    merged = with_context(document, added)
    if merged != document:
        _write(path, _text(merged))
    return path


def withdraw(instance: Instance) -> None:
    """Take the instance's context out and give back the one before it. Raises OSError."""
    try:
        displaced = msgspec.json.decode(_record(instance).read_bytes(), type=Displaced)
    except FileNotFoundError:
        return
    path = Path(displaced.file)
    document = _read(path)
    remaining = without_context(document, instance.name, displaced.context)
    if remaining is None:
        path.unlink(missing_ok=True)
    elif remaining != document:
        _write(path, _text(remaining))
    _record(instance).unlink()


def with_context(document: Document, added: Document) -> Document:
    """`document` with the entries of `added` in place of those of the same names. Pure."""
    merged = {"apiVersion": "v1", "kind": "Config", **document}
    for section in _SECTIONS:
        names = {entry["name"] for entry in added[section]}
        merged[section] = [*_others(document, section, names), *added[section]]
    merged["current-context"] = added["current-context"]
    return merged


def without_context(document: Document, name: str, previous: str) -> Document | None:
    """`document` without the entries called `name`; None when nothing of a user's is left. Pure.

    `previous` becomes current again when `name` was and it is still there.
    """
    remaining = dict(document)
    for section in _SECTIONS:
        remaining[section] = _others(document, section, {name})
    if document.get("current-context") == name:
        known = {entry["name"] for entry in remaining["contexts"]}
        remaining["current-context"] = previous if previous in known else ""
    if any(remaining[section] for section in _SECTIONS):
        return remaining
    return None


def _others(document: Document, section: str, names: set[str]) -> list[Document]:
    entries: list[Document] = document.get(section) or []
    return [entry for entry in entries if entry.get("name") not in names]


def _users_file() -> Path:
    first = os.environ.get("KUBECONFIG", "").split(":")[0]
    return (Path(first) if first else Path.home() / ".kube" / "config").absolute()


def _record(instance: Instance) -> Path:
    return instance.configuration_folder / "displaced-context.json"


def _read(path: Path) -> Document:
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as failure:
        raise OSError(f"{path} is not a kubeconfig: {failure}") from failure
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise OSError(f"{path} is not a kubeconfig")
    return document


def _text(document: Document) -> bytes:
    return yaml.safe_dump(document, sort_keys=False).encode()


def _write(path: Path, content: bytes) -> None:
    path = path.resolve()  # a symbolic link stays one
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
