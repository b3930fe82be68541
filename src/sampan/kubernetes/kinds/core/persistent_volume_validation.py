"""The rules of PersistentVolumes (pkg/apis/core/validation ValidatePersistentVolume)."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.affinity_validation import check_node_selector
from sampan.kubernetes.kinds.core.volume_modes import check_access_modes, check_volume_mode
from sampan.kubernetes.kinds.core.volume_sources import SOURCES, check_volume_source
from sampan.kubernetes.kinds.field_rules import check_choice, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.machinery import names, quantities
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported

_RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
_SOURCE_FIELD = "spec.persistentvolumesource"


def volume_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from check_access_modes(spec.get("accessModes") or (), "spec.accessModes")
    yield from _check_capacity(spec.get("capacity") or {})
    yield from _check_source(spec)
    yield from check_choice(spec, "persistentVolumeReclaimPolicy", _RECLAIM_POLICIES, "spec")
    host_path = (spec.get("hostPath") or {}).get("path")
    if host_path == "/" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        yield forbidden("spec.persistentVolumeReclaimPolicy", detail)
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            yield from check_text(names.subdomain, spec[name], f"spec.{name}")
    yield from check_volume_mode(spec, "spec")
    yield from _check_affinity(spec)
    if old is not None:
        yield from _check_update(spec, old.get("spec") or {})


def _check_capacity(capacity: dict[str, str]) -> Iterator[Cause]:
    if not capacity:
        yield required("spec.capacity")
        return
    if set(capacity) != {"storage"}:
        yield unsupported("spec.capacity", capacity, ("storage",))
    for name, quantity in capacity.items():
        try:
            if quantities.parse(quantity) <= 0:
                yield invalid(f"spec.capacity[{name}]", quantity, "must be greater than zero")
        except quantities.InvalidQuantity:
            continue


def _check_source(spec: Object) -> Iterator[Cause]:
    given = [name for name in SOURCES if name in spec]
    if not given:
        yield required("spec", "must specify a volume type")
    for name in given[1:]:
        yield forbidden(f"spec.{name}", "may not specify more than 1 volume type")
    for name in given[:1]:
        yield from check_volume_source(name, spec[name], f"spec.{name}", persistent=True)
    if "local" in spec and not (spec.get("nodeAffinity") or {}).get("required"):
        yield required("spec.nodeAffinity", "Local volume requires node affinity")


def _check_affinity(spec: Object) -> Iterator[Cause]:
    affinity = spec.get("nodeAffinity")
    if affinity is None:
        return
    if affinity.get("required") is None:
        yield required("spec.nodeAffinity.required", "must specify required node constraints")
    else:
        yield from check_node_selector(affinity["required"], "spec.nodeAffinity.required")


def _check_update(spec: Object, before: Object) -> Iterator[Cause]:
    now, earlier = ({name: it[name] for name in SOURCES if name in it} for it in (spec, before))
    if now != earlier:
        detail = f"{_SOURCE_FIELD} is immutable after creation"
        yield forbidden(_SOURCE_FIELD, detail)
    yield from check_immutable(spec.get("volumeMode"), before.get("volumeMode"), "spec.volumeMode")
    if before.get("nodeAffinity") is not None:
        affinity = spec.get("nodeAffinity")
        yield from check_immutable(affinity, before["nodeAffinity"], "spec.nodeAffinity")
    if before.get("volumeAttributesClassName") and not spec.get("volumeAttributesClassName"):
        detail = "update from non-nil value to nil is forbidden"
        yield forbidden("spec.volumeAttributesClassName", detail)
