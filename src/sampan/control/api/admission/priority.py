"""The number behind a pod's priority class. Only the two classes of the system exist so far."""

from sampan.control.api.admission.write import Write
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.resource import PODS
from sampan.kubernetes.machinery import status

CLASSES = {"": 0, "system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_POLICY = "PreemptLowerPriority"


def set_priority(write: Write) -> None:
    """Raises Refused (403) for a class that isn't there."""
    pod = write.new
    if write.kind.resource != PODS or not write.is_create or write.subresource or pod is None:
        return
    spec = pod.setdefault("spec", {})
    name = spec.get("priorityClassName") or ""
    if name not in CLASSES:
        explanation = f"no PriorityClass with name {name} was found"
        raise Refused(status.forbidden(PODS, pod["metadata"].get("name", ""), explanation))
    if spec.get("priority") not in (None, CLASSES[name]):
        explanation = (
            f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
            f"priority admission controller computed {CLASSES[name]} from the given "
            "PriorityClass name"
        )
        raise Refused(status.forbidden(PODS, pod["metadata"].get("name", ""), explanation))
    spec["priority"] = CLASSES[name]
    spec.setdefault("preemptionPolicy", _POLICY)
