"""A pod's quality of service, which follows from what its containers ask for."""

from decimal import Decimal

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery import quantities

_RESOURCES = ("cpu", "memory")
_NOTHING = Decimal(0)


def quality_of_service(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, from the requests and limits of cpu and memory.

    Requests and limits of zero count as absent, and those of the whole pod stand for those of
    its containers (pkg/apis/core/v1/helper/qos).
    """
    whole = spec.get("resources")
    containers = (
        [{"resources": whole}]
        if whole
        else [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    )
    given = [
        (_amount(it, "requests", name), _amount(it, "limits", name))
        for it in containers
        for name in _RESOURCES
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
