"""Device nodes of the host for containers: found by path, and what the runtime is told of them.

Sources: the OCI runtime specification 1.1 (config-linux, "Devices" and "Allowed Device list"),
the kernel's cgroup-v1/devices.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from sampan.engine.configuration import Device
from sampan.engine.contract import EngineError, InvalidConfiguration

_EVERY_ACCESS = "rwm"
_RULE = re.compile(r"([acb]) (\d{1,10}|\*):(\d{1,10}|\*) ([rwm]{1,3})")
_DEVICES = Path("/dev")
# Made afresh in each container, or not devices of the machine at all.
_OWN_FOLDERS = frozenset(("pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"))
_OWN_NODES = frozenset(("console", "ptmx", "tty"))
_USUAL = (
    (1, 3),  # null
    (1, 5),  # zero
    (1, 7),  # full
    (1, 8),  # random
    (1, 9),  # urandom
    (5, 0),  # tty
    (5, 1),  # console
    (5, 2),  # ptmx
    (136, None),  # pts/*
)


class DeviceNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node to be made at `path` in a container; `kind` is `c` or `b`."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int
    uid: int = 0
    gid: int = 0
    permissions: str = _EVERY_ACCESS


def nodes_of(wanted: Iterable[Device], *, every: bool = False) -> tuple[DeviceNode, ...]:
    """The nodes behind the paths; with `every`, all of the machine's. Raises EngineError."""
    found: dict[str, DeviceNode] = {}
    if every:
        found.update((node.path, node) for node in _nodes_below(_DEVICES, "/dev", _EVERY_ACCESS))
    for device in wanted:
        found.update((node.path, node) for node in _nodes_for(device))
    return tuple(found.values())


def documents(nodes: Iterable[DeviceNode]) -> list[dict[str, Any]]:
    """The `linux.devices` member."""
    return [
        {
            "path": node.path,
            "type": node.kind,
            "major": node.major,
            "minor": node.minor,
            "fileMode": node.mode,
            "uid": node.uid,
            "gid": node.gid,
        }
        for node in nodes
    ]


def access_rules(
    nodes: Iterable[DeviceNode], lines: Iterable[str], *, every: bool
) -> Iterator[dict[str, Any]]:
    """The `linux.resources.devices` member. Raises InvalidConfiguration for a line."""
    if every:
        yield {"allow": True, "access": _EVERY_ACCESS}
        return
    yield {"allow": False, "access": _EVERY_ACCESS}
    yield {"allow": True, "type": "c", "access": "m"}
    yield {"allow": True, "type": "b", "access": "m"}
    for major, minor in _USUAL:
        rule = {"allow": True, "type": "c", "major": major, "access": _EVERY_ACCESS}
        yield rule if minor is None else rule | {"minor": minor}
    for node in nodes:
        if node.permissions:
            yield {
                "allow": True,
                "type": node.kind,
                "major": node.major,
                "minor": node.minor,
                "access": node.permissions,
            }
    yield from map(_rule, lines)


def node_at(source: str, path: str, permissions: str) -> DeviceNode:
    """The device at `source`, a path of the host. Raises EngineError when there is none."""
    try:
        status = os.stat(source)
    except OSError as error:
        raise _missing(source, error.strerror or "") from error
    node = _node(status, path, permissions)
    if node is None:
        raise _missing(source, "not a device node")
    return node


def check_permissions(permissions: str) -> None:
    """Raises InvalidConfiguration unless they are out of `rwm`, each once at most."""
    if set(permissions) - set(_EVERY_ACCESS) or len(set(permissions)) != len(permissions):
        raise InvalidConfiguration(f"invalid device mode: {permissions}")


def _nodes_for(device: Device) -> list[DeviceNode]:
    check_permissions(device.permissions)
    target = device.target or device.source
    if not target.startswith("/"):
        raise InvalidConfiguration(f"{target!r} is not an absolute path for a device")
    if Path(device.source).is_dir():
        nodes = list(_nodes_below(Path(device.source), target, device.permissions))
        if not nodes:
            raise _missing(device.source, "no device nodes in it")
        return nodes
    return [node_at(device.source, target, device.permissions)]


def _nodes_below(folder: Path, target: str, permissions: str) -> Iterator[DeviceNode]:
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _OWN_FOLDERS]
        for name in files:
            source = Path(path, name)
            if name in _OWN_NODES or source.is_symlink():
                continue
            inside = f"{target}/{source.relative_to(folder)}"
            try:
                node = _node(source.stat(), inside, permissions)
            except FileNotFoundError:
                continue
            if node is not None:
                yield node


def _node(status: os.stat_result, path: str, permissions: str) -> DeviceNode | None:
    if stat.S_ISCHR(status.st_mode):
        kind = "c"
    elif stat.S_ISBLK(status.st_mode):
        kind = "b"
    else:
        return None
    return DeviceNode(
        path=path,
        kind=kind,
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        permissions=permissions,
    )


def _rule(line: str) -> dict[str, Any]:
    match = _RULE.fullmatch(line)
    if match is None:
        raise InvalidConfiguration(f"invalid device cgroup rule format: {line!r}")
    kind, major, minor, access = match.groups()
    rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
    if major != "*":
        rule["major"] = int(major)
    if minor != "*":
        rule["minor"] = int(minor)
    return rule


def _missing(source: str, why: str) -> EngineError:
    return EngineError(
        f'error gathering device information while adding custom device "{source}": {why.lower()}'
    )
