"""Devices by the Container Device Interface: what a vendor says a container needs to use one.

A device is asked for by its qualified name, `vendor/class=name`; what its specification says
is edited into the container: variables, device nodes, mounts, hooks, groups. Pure: reading the
specifications is the registry's business. Source: the CDI specification 0.8 (SPEC.md).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from sampan.engine.contract import InvalidConfiguration

_VERSIONS = frozenset(("0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"))
_HOOKS = frozenset(
    ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
)
_LETTER_OR_DIGIT = "[A-Za-z0-9]"
_VENDOR = re.compile(rf"[A-Za-z](?:[A-Za-z0-9_.-]*{_LETTER_OR_DIGIT})?")
_CLASS = re.compile(rf"[A-Za-z](?:[A-Za-z0-9_-]*{_LETTER_OR_DIGIT})?")
_NAME = re.compile(rf"{_LETTER_OR_DIGIT}(?:[A-Za-z0-9_.:-]*{_LETTER_OR_DIGIT})?")


class _Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The base of what a specification is made of."""


class DeviceNodeEdit(_Document, frozen=True, kw_only=True):
    """What is left out is taken from the node at `host_path`, or else at `path`."""

    path: str
    host_path: str = ""
    type: str = ""
    major: int | None = None
    minor: int | None = None
    file_mode: int | None = None
    permissions: str = "rw"
    uid: int | None = None
    gid: int | None = None


class MountEdit(_Document, frozen=True, kw_only=True):
    host_path: str
    container_path: str
    type: str = ""
    options: tuple[str, ...] = ()


class HookEdit(_Document, frozen=True, kw_only=True):
    hook_name: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


class ContainerEdits(_Document, frozen=True, kw_only=True):
    env: tuple[str, ...] = ()
    device_nodes: tuple[DeviceNodeEdit, ...] = ()
    mounts: tuple[MountEdit, ...] = ()
    hooks: tuple[HookEdit, ...] = ()
    additional_gids: tuple[int, ...] = msgspec.field(name="additionalGids", default=())
    intel_rdt: dict[str, Any] | None = None
    net_devices: tuple[dict[str, Any], ...] = ()


class NamedDevice(_Document, frozen=True, kw_only=True):
    name: str
    container_edits: ContainerEdits = ContainerEdits()


class CdiSpecification(_Document, frozen=True, kw_only=True):
    cdi_version: str
    kind: str
    devices: tuple[NamedDevice, ...]
    container_edits: ContainerEdits = ContainerEdits()


class DeviceEdits(msgspec.Struct, frozen=True, kw_only=True):
    """What to edit into a container, in order; each of a specification's own edits once."""

    edits: tuple[ContainerEdits, ...] = ()


def decode_specification(tree: Any) -> CdiSpecification:
    """A specification from its JSON tree. Raises InvalidConfiguration that tells what is wrong."""
    try:
        specification = msgspec.convert(tree, CdiSpecification)
    except msgspec.ValidationError as error:
        raise InvalidConfiguration(str(error)) from error
    if specification.cdi_version not in _VERSIONS:
        raise InvalidConfiguration(f"the version {specification.cdi_version!r} is not known")
    vendor, _, kind = specification.kind.partition("/")
    if not (_VENDOR.fullmatch(vendor) and _CLASS.fullmatch(kind)):
        raise InvalidConfiguration(f"the kind {specification.kind!r} is not vendor/class")
    names = [device.name for device in specification.devices]
    if len(set(names)) != len(names):
        raise InvalidConfiguration("a device is named twice")
    for device in specification.devices:
        if not _NAME.fullmatch(device.name):
            raise InvalidConfiguration(f"the device name {device.name!r} is invalid")
        _check_edits(device.container_edits)
    _check_edits(specification.container_edits)
    return specification


def resolve(
    names: Iterable[str], specifications: Sequence[Sequence[CdiSpecification]]
) -> DeviceEdits:
    """The edits for qualified names. `specifications` come by folder, the strongest folder last.

    A device that two specifications of the same folder name is a conflict and can't be used.
    Raises InvalidConfiguration for names that are malformed, unknown or in conflict.
    """
    edits: list[ContainerEdits] = []
    edited: list[CdiSpecification] = []
    unresolvable = []
    for name in dict.fromkeys(names):
        found = _find(name, specifications)
        if found is None:
            unresolvable.append(name)
            continue
        specification, device = found
        if not any(specification is known for known in edited):
            edited.append(specification)
            edits.append(specification.container_edits)
        edits.append(device.container_edits)
    if unresolvable:
        raise InvalidConfiguration(
            f"CDI device injection failed: unresolvable CDI devices {', '.join(unresolvable)}"
        )
    return DeviceEdits(edits=tuple(edits))


def _find(
    qualified: str, specifications: Sequence[Sequence[CdiSpecification]]
) -> tuple[CdiSpecification, NamedDevice] | None:
    kind, separator, name = qualified.partition("=")
    if not (separator and "/" in kind and name):
        raise InvalidConfiguration(
            f"{qualified!r} is not a device name of the form vendor/class=name"
        )
    for folder in reversed(specifications):
        found = [
            (specification, device)
            for specification in folder
            if specification.kind == kind
            for device in specification.devices
            if device.name == name
        ]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _check_edits(edits: ContainerEdits) -> None:
    """Raises InvalidConfiguration for edits that can't be made."""
    for entry in edits.env:
        if not entry.partition("=")[0] or "=" not in entry:
            raise InvalidConfiguration(f"{entry!r} is not a variable of the form NAME=VALUE")
    for node in edits.device_nodes:
        if node.type not in ("", "c", "b", "u"):
            raise InvalidConfiguration(f"device nodes of type {node.type!r} can't be made")
        if set(node.permissions) - set("rwm"):
            raise InvalidConfiguration(f"the permissions {node.permissions!r} are not out of rwm")
    for hook in edits.hooks:
        if hook.hook_name not in _HOOKS or not hook.path.startswith("/"):
            raise InvalidConfiguration(f"the hook {hook.hook_name!r} of {hook.path!r} is invalid")
    if edits.net_devices:
        raise InvalidConfiguration("network devices can't be moved into containers here")
