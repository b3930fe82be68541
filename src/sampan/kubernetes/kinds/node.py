"""RuntimeClass: which runtime runs a pod's containers."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.columns import AGE, NAME, text
from sampan.kubernetes.kinds.core.resource_validation import check_overhead
from sampan.kubernetes.kinds.core.scheduling_validation import check_tolerations
from sampan.kubernetes.kinds.field_rules import check_text, check_unique
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable, check_labels
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import RUNTIME_CLASSES
from sampan.kubernetes.machinery import names


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """pkg/apis/node/validation ValidateRuntimeClass and ValidateRuntimeClassUpdate."""
    yield from check_text(names.label, new.get("handler", ""), "handler")
    overhead = (new.get("overhead") or {}).get("podFixed") or {}
    yield from check_overhead(overhead, "overhead.podFixed")
    scheduling = new.get("scheduling") or {}
    yield from check_labels(scheduling.get("nodeSelector"), "scheduling.nodeSelector")
    tolerations = scheduling.get("tolerations") or []
    yield from check_tolerations(tolerations, "scheduling.tolerations")
    yield from check_unique(tolerations, lambda index: f"scheduling.tolerations[{index}]")
    if old is not None:
        yield from check_immutable(new.get("handler"), old.get("handler"), "handler")


RUNTIME_CLASS = make(
    RUNTIME_CLASSES,
    rules=_rules,
    columns=(
        NAME,
        text("Handler", lambda it: it.get("handler", ""), about="What the runtime knows it by."),
        AGE,
    ),
)
