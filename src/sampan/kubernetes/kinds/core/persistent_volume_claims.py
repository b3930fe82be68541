"""PersistentVolumeClaim: storage that a pod asks for."""

from collections.abc import Iterator
from typing import Any

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.core.volume_modes import (
    access_modes_text,
    check_access_modes,
    check_volume_mode,
    storage_class,
    volume_mode,
)
from sampan.kubernetes.kinds.field_rules import check_required_text, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable, check_label_selector
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import PERSISTENT_VOLUME_CLAIMS
from sampan.kubernetes.machinery import names, quantities
from sampan.kubernetes.machinery.causes import forbidden, invalid, required

_REQUEST = "spec.resources.requests.storage"
_IMMUTABLE = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName "
    "for bound claims"
)


def default_claim(claim: Object) -> None:
    """pkg/apis/core/v1 SetDefaults_PersistentVolumeClaim."""
    claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    claim.setdefault("status", {}).setdefault("phase", "Pending")


def default_claim_spec(spec: Object) -> None:
    """The spec of a claim that is a part of something else."""
    spec.setdefault("volumeMode", "Filesystem")


def _prepare(new: Object, old: Object | None) -> None:
    """A claim begins pending; what it is filled from is named in both of two fields."""
    strategies.keep_status(new, old)
    if old is None:
        new["status"] = {"phase": "Pending"}
    spec = new.get("spec") or {}
    if "dataSource" in spec and "dataSourceRef" not in spec:
        spec["dataSourceRef"] = dict(spec["dataSource"])
    elif "dataSourceRef" in spec and "dataSource" not in spec:
        reference = spec["dataSourceRef"]
        if not reference.get("namespace"):
            spec["dataSource"] = dict(reference)


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from check_claim_spec(spec, "spec")
    if old is not None:
        yield from _check_update(spec, old)


def check_claim_spec(spec: Object, field: str) -> Iterator[Cause]:
    """pkg/apis/core/validation ValidatePersistentVolumeClaimSpec."""
    yield from check_access_modes(spec.get("accessModes") or (), f"{field}.accessModes")
    yield from check_label_selector(spec.get("selector"), f"{field}.selector")
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        yield required(f"{field}.resources[storage]")
    elif _amount(size) is not None and not _positive(size):
        detail = "must be greater than zero"
        yield invalid(f"{field}.resources[storage]", size, detail)
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            yield from check_text(names.subdomain, spec[name], f"{field}.{name}")
    yield from check_volume_mode(spec, field)
    yield from _check_source(spec, field)


def _check_source(spec: Object, field: str) -> Iterator[Cause]:
    for name in ("dataSource", "dataSourceRef"):
        source = spec.get(name)
        if source is None:
            continue
        for key in ("name", "kind"):
            if not source.get(key):
                yield required(f"{field}.{name}.{key}")
        group, kind = source.get("apiGroup") or "", source.get("kind", "")
        if not group and kind != "PersistentVolumeClaim":
            detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            yield invalid(f"{field}.{name}", kind, detail)
        if group:
            yield from check_required_text(source, "apiGroup", f"{field}.{name}", names.subdomain)
    reference = spec.get("dataSourceRef") or {}
    if spec.get("dataSource") and reference.get("namespace"):
        detail = "may not be specified when dataSourceRef.namespace is specified"
        yield invalid(f"{field}.dataSource", spec["dataSource"], detail)


def _check_update(spec: Object, old: Object) -> Iterator[Cause]:
    """A bound claim may grow and change its attributes' class; all else stays."""
    before, status = old.get("spec") or {}, old.get("status") or {}
    if _fixed(spec, old) != _fixed(before, old):
        yield forbidden("spec", _IMMUTABLE)
    now, earlier = (_size(it) for it in (spec, before))
    if earlier is not None and now is not None and now < earlier:
        held = _amount((status.get("capacity") or {}).get("storage"))
        if held is not None and now < held:
            yield forbidden(_REQUEST, "field can not be less than status.capacity")
        elif held is None:
            yield forbidden(_REQUEST, "field can not be less than previous value")
    yield from check_immutable(spec.get("volumeMode"), before.get("volumeMode"), "spec.volumeMode")
    if before.get("volumeAttributesClassName") and not spec.get("volumeAttributesClassName"):
        detail = "update from non-nil value to nil is forbidden"
        yield forbidden("spec.volumeAttributesClassName", detail)


def _fixed(spec: Object, old: Object) -> Object:
    """What may not change; a volume's name may be given once, a class to one that has none."""
    before = old.get("spec") or {}
    free = {"volumeMode"}
    if not before.get("volumeName"):
        free.add("volumeName")
    if part(old, "status", "phase") == "Bound":
        free.add("volumeAttributesClassName")
    if before.get("storageClassName") is None:
        free.add("storageClassName")
    kept: dict[str, Any] = {key: it for key, it in spec.items() if key not in free}
    if part(old, "status", "phase") == "Bound" and "resources" in kept:
        requests = {**(kept["resources"].get("requests") or {}), "storage": ""}
        kept["resources"] = {**kept["resources"], "requests": requests}
    return kept


def _size(spec: Object) -> Any:
    return _amount(((spec.get("resources") or {}).get("requests") or {}).get("storage"))


def _amount(quantity: Any) -> Any:
    """The value of a quantity, None for none or for one that was reported as wrong already."""
    try:
        return None if quantity is None else quantities.parse(quantity)
    except quantities.InvalidQuantity:
        return None


def _positive(quantity: Any) -> bool:
    return bool(_amount(quantity) > 0)


def _phase(claim: Object) -> str:
    if claim["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return part(claim, "status", "phase") or ""


def _capacity(claim: Object) -> str:
    bound = part(claim, "spec", "volumeName")
    return (part(claim, "status", "capacity", "storage") or "0") if bound else ""


def _access_modes(claim: Object) -> str:
    bound = part(claim, "spec", "volumeName")
    return access_modes_text(part(claim, "status", "accessModes")) if bound else ""


PERSISTENT_VOLUME_CLAIM = make(
    PERSISTENT_VOLUME_CLAIMS,
    default=default_claim,
    rules=_rules,
    prepare=_prepare,
    status=True,
    short_names=("pvc",),
    renamed={"name": "metadata.name"},
    columns=(
        NAME,
        text("Status", _phase, about="Whether the claim is bound to a volume."),
        text("Volume", lambda it: part(it, "spec", "volumeName") or "", about="The volume."),
        text("Capacity", _capacity, about="The size of the volume."),
        text("Access Modes", _access_modes, about="How the volume may be mounted."),
        text("StorageClass", storage_class, about="What provides the volume."),
        text(
            "VolumeAttributesClass",
            lambda it: part(it, "spec", "volumeAttributesClassName") or "<unset>",
            about="The changeable attributes of the volume.",
        ),
        AGE,
        text("VolumeMode", volume_mode, 1, "Whether there is a filesystem on the volume."),
    ),
)
