"""The rules of where a container sees its pod's volumes."""

from collections.abc import Collection, Iterator, Mapping

from sampan.kubernetes.kinds.core.paths import check_local_path, check_no_ascent
from sampan.kubernetes.kinds.field_rules import check_choice
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, invalid, not_found, required

_PROPAGATION = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")
_CLAIM_SOURCES = ("persistentVolumeClaim", "ephemeral")


def check_mounts(container: Object, field: str, volumes: Mapping[str, Object]) -> Iterator[Cause]:
    """`volumes` are the pod's, by name."""
    seen: set[str] = set()
    devices = {it.get("devicePath", "") for it in container.get("volumeDevices") or ()}
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        path = f"{field}[{index}]"
        yield from _check_mount(mount, path, volumes, container)
        place = mount.get("mountPath", "")
        if place in seen:
            yield invalid(f"{path}.mountPath", place, "must be unique")
        if place in devices:
            detail = "must not already exist as a path in volumeDevices"
            yield invalid(f"{path}.mountPath", place, detail)
        seen.add(place)


def _check_mount(
    mount: Object, field: str, volumes: Mapping[str, Object], container: Object
) -> Iterator[Cause]:
    name = mount.get("name", "")
    if not name:
        yield required(f"{field}.name")
    elif name not in volumes:
        yield not_found(f"{field}.name", name)
    if not mount.get("mountPath"):
        yield required(f"{field}.mountPath")
    if mount.get("subPath") and mount.get("subPathExpr"):
        detail = "subPathExpr and subPath are mutually exclusive"
        yield invalid(f"{field}.subPathExpr", mount["subPathExpr"], detail)
    for key in ("subPath", "subPathExpr"):
        if mount.get(key):
            yield from check_local_path(mount[key], f"{field}.{key}")
    yield from check_choice(mount, "mountPropagation", _PROPAGATION, field)
    if mount.get("mountPropagation") == "Bidirectional" and not (
        (container.get("securityContext") or {}).get("privileged")
    ):
        detail = "Bidirectional mount propagation is available only to privileged containers"
        yield forbidden(f"{field}.mountPropagation", detail)
    if "recursiveReadOnly" in mount:
        yield from _check_recursive(mount, f"{field}.recursiveReadOnly", field)


def _check_recursive(mount: Object, path: str, field: str) -> Iterator[Cause]:
    yield from check_choice(mount, "recursiveReadOnly", _RECURSIVE, field)
    if mount["recursiveReadOnly"] == "Disabled":
        return
    if not mount.get("readOnly"):
        yield forbidden(path, "may only be specified when readOnly is true")
    if mount.get("mountPropagation", "None") != "None":
        detail = "may only be specified when mountPropagation is None or not specified"
        yield forbidden(path, detail)


def check_devices(container: Object, field: str, volumes: Mapping[str, Object]) -> Iterator[Cause]:
    """Volumes that a container sees as block devices: those of claims alone."""
    seen_names: set[str] = set()
    seen_paths: set[str] = set()
    for index, device in enumerate(container.get("volumeDevices") or ()):
        path = f"{field}[{index}]"
        name, place = device.get("name", ""), device.get("devicePath", "")
        if not name:
            yield required(f"{path}.name")
        elif name not in volumes:
            yield not_found(f"{path}.name", name)
        elif not any(source in volumes[name] for source in _CLAIM_SOURCES):
            detail = (
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block "
                "mode"
            )
            yield invalid(f"{path}.name", name, detail)
        if name in seen_names:
            yield invalid(f"{path}.name", name, "must be unique")
        yield from _check_device_path(place, f"{path}.devicePath", seen_paths)
        seen_names.add(name)
        seen_paths.add(place)


def _check_device_path(place: str, field: str, seen: Collection[str]) -> Iterator[Cause]:
    if not place:
        yield required(field)
    else:
        yield from check_no_ascent(place, field)
    if place in seen:
        yield invalid(field, place, "must be unique")
