"""What volumes and claims to them have in common: access modes, volume mode, class."""

from collections.abc import Iterable, Iterator

from sampan.kubernetes.kinds.columns import part
from sampan.kubernetes.kinds.field_rules import check_choice
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, required, unsupported

_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_SINGLE = "ReadWriteOncePod"
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def check_access_modes(modes: Iterable[str], field: str) -> Iterator[Cause]:
    """At least one, each known; the mode for a single pod stands alone."""
    given = list(modes)
    if not given:
        yield required(field, "at least 1 access mode is required")
    for mode in given:
        if mode not in _MODES:
            yield unsupported(field, mode, _MODES)
    if _SINGLE in given and len(set(given)) > 1:
        yield forbidden(field, f"may not use {_SINGLE} with other access modes")


def check_volume_mode(spec: Object, field: str) -> Iterator[Cause]:
    yield from check_choice(spec, "volumeMode", ("Block", "Filesystem"), field)


def access_modes_text(modes: Iterable[str] | None) -> str:
    """`RWO,ROX`: the short forms in Kubernetes' order."""
    given = set(modes or ())
    return ",".join(short for mode, short in _MODES.items() if mode in given)


def storage_class(obj: Object) -> str:
    """The class of a volume or claim, from its annotation of old or its spec."""
    annotations = obj["metadata"].get("annotations") or {}
    if CLASS_ANNOTATION in annotations:
        return str(annotations[CLASS_ANNOTATION])
    return part(obj, "spec", "storageClassName") or ""


def volume_mode(obj: Object) -> str:
    return part(obj, "spec", "volumeMode") or "<unset>"
