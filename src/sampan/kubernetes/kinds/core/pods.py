"""Pod: the containers that run together on one node."""

from collections.abc import Iterable
from decimal import Decimal

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.core.pod_columns import COLUMNS
from sampan.kubernetes.kinds.core.pod_defaults import default_pod
from sampan.kubernetes.kinds.core.pod_validation import pod_rules
from sampan.kubernetes.kinds.kind import Object, Subresource
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import PODS
from sampan.kubernetes.machinery import quantities

_QUALITY_RESOURCES = ("cpu", "memory")
_NOTHING = Decimal(0)


def quality_of_service(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, from the requests and limits of cpu and memory.

    Requests and limits of zero count as absent (pkg/apis/core/v1/helper/qos).
    """
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    given = [
        (_amount(it, "requests", name), _amount(it, "limits", name))
        for it in containers
        for name in _QUALITY_RESOURCES
    ]
    if all(not request and not limit for request, limit in given):
        return "BestEffort"
    if all(limit and request == limit for request, limit in given):
        return "Guaranteed"
    return "Burstable"


def _amount(container: Object, part: str, name: str) -> Decimal:
    quantity = ((container.get("resources") or {}).get(part) or {}).get(name)
    try:
        return max(_NOTHING, quantities.parse(quantity)) if quantity else _NOTHING
    except quantities.InvalidQuantity:
        return _NOTHING


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        quality = quality_of_service(new.get("spec") or {})
        new["status"] = {"phase": "Pending", "qosClass": quality}


def _connect(name: str, kind: str, verbs: Iterable[str] = ("create", "get")) -> Subresource:
    return Subresource(name, kind, "v1", tuple(verbs))


POD = make(
    PODS,
    default=default_pod,
    rules=pod_rules,
    prepare=_prepare,
    prepare_status=strategies.status_with_labels,
    status=True,
    short_names=("po",),
    categories=("all",),
    selectable=(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    subresources=(
        _connect("log", "Pod", ("get",)),
        _connect("exec", "PodExecOptions"),
        _connect("attach", "PodAttachOptions"),
        _connect("binding", "Binding", ("create",)),
        Subresource("eviction", "Eviction", "policy/v1", ("create",)),
    ),
    columns=COLUMNS,
)
