"""A pod's quality of service, which follows from what its containers ask for."""

from decimal import Decimal

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery import quantities
from sampan.kubernetes.machinery.familiar import remembering

_RESOURCES = ("cpu", "memory")
_NOTHING = Decimal(0)


@remembering
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
    asked, unbound = False, False
    for container in containers:
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for name in _RESOURCES:
            request, limit = _amount(requests.get(name)), _amount(limits.get(name))
            asked = asked or bool(request or limit)
            unbound = unbound or not limit or request != limit
            if asked and unbound:
                return "Burstable"
    return "Guaranteed" if asked else "BestEffort"


def _amount(quantity: str | int | float | None) -> Decimal:
    try:
        return max(_NOTHING, quantities.parse(quantity)) if quantity else _NOTHING
    except quantities.InvalidQuantity:
        return _NOTHING
