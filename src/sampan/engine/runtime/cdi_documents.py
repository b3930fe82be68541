"""Edits of the Container Device Interface in the terms of the OCI runtime's document."""

from typing import Any

import msgspec

from sampan.engine.runtime.cdi import ContainerEdits, DeviceEdits, DeviceNodeEdit
from sampan.engine.runtime.devices import DeviceNode, node_at

_DEFAULT_MODE = 0o666
_DEFAULT_MOUNT_OPTIONS = ("rbind", "rprivate", "nosuid", "nodev", "ro")


def device_nodes(edits: DeviceEdits) -> tuple[DeviceNode, ...]:
    """The nodes to make, looked up on the host as far as they are not described.

    Raises EngineError for one that is not there.
    """
    return tuple(_node(node) for each in edits.edits for node in each.device_nodes)


def variables(edits: DeviceEdits) -> dict[str, str]:
    return dict(entry.split("=", 1) for each in edits.edits for entry in each.env)


def groups(edits: DeviceEdits) -> tuple[int, ...]:
    return tuple(gid for each in edits.edits for gid in each.additional_gids if gid)


def mounts(edits: DeviceEdits) -> list[dict[str, Any]]:
    """Entries of the `mounts` member."""
    return [
        {
            "destination": mount.container_path,
            "type": mount.type or "bind",
            "source": mount.host_path,
            "options": list(mount.options or _DEFAULT_MOUNT_OPTIONS),
        }
        for each in edits.edits
        for mount in each.mounts
    ]


def hooks(edits: DeviceEdits) -> dict[str, list[dict[str, Any]]]:
    """The `hooks` member."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in edits.edits:
        for hook in each.hooks:
            entry: dict[str, Any] = {"path": hook.path}
            if hook.args:
                entry["args"] = list(hook.args)
            if hook.env:
                entry["env"] = list(hook.env)
            if hook.timeout is not None:
                entry["timeout"] = hook.timeout
            found.setdefault(hook.hook_name, []).append(entry)
    return found


def intel_rdt(edits: DeviceEdits) -> dict[str, Any] | None:
    """The `linux.intelRdt` member; the last edit's holds."""
    found: list[ContainerEdits] = [each for each in edits.edits if each.intel_rdt is not None]
    return found[-1].intel_rdt if found else None


def _node(edit: DeviceNodeEdit) -> DeviceNode:
    if edit.major is not None and edit.minor is not None and edit.type:
        node = DeviceNode(
            path=edit.path,
            kind="c" if edit.type == "u" else edit.type,
            major=edit.major,
            minor=edit.minor,
            mode=_DEFAULT_MODE,
            permissions=edit.permissions,
        )
    else:
        node = node_at(edit.host_path or edit.path, edit.path, edit.permissions)
    given = {"mode": edit.file_mode, "uid": edit.uid, "gid": edit.gid}
    return msgspec.structs.replace(
        node, **{name: value for name, value in given.items() if value is not None}
    )
