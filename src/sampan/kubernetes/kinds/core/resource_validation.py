"""The rules of resource requests and limits."""

from collections.abc import Iterator
from decimal import Decimal

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names, quantities
from sampan.kubernetes.machinery.causes import invalid, required

_NATIVE = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES = "hugepages-"


def check_resources(resources: Object, field: str) -> Iterator[Cause]:
    """Quantities that don't parse were reported by the pass over the structure already."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, given in (("limits", limits), ("requests", requests)):
        for name, quantity in given.items():
            yield from _check_name(name, f"{field}.{part}[{name}]")
            value = _value(quantity)
            if value is not None and value < 0:
                detail = "must be greater than or equal to 0"
                yield invalid(f"{field}.{part}[{name}]", quantity, detail)
    for name, quantity in requests.items():
        yield from _check_within(name, quantity, limits.get(name), f"{field}.requests")
    for name in limits:
        if not overcommits(name) and name not in requests:
            yield required(f"{field}.requests[{name}]", "must be specified like its limit")


def _check_within(name: str, request: str, limit: str | None, field: str) -> Iterator[Cause]:
    wanted, most = _value(request), _value(limit)
    if wanted is None or most is None:
        return
    if not overcommits(name) and wanted != most:
        yield invalid(field, request, f"must be equal to {name} limit of {limit}")
    elif wanted > most:
        yield invalid(field, request, f"must be less than or equal to {name} limit of {limit}")


def overcommits(name: str) -> bool:
    """Extended resources and huge pages can't be promised twice; native ones can."""
    return ("/" not in name or "kubernetes.io/" in name) and not name.startswith(_HUGE_PAGES)


def _check_name(name: str, field: str) -> Iterator[Cause]:
    for message in names.qualified_name(name):
        yield invalid(field, name, message)
    if "/" not in name and name not in _NATIVE and not name.startswith(_HUGE_PAGES):
        yield invalid(field, name, "must be a standard resource for containers")


def _value(quantity: str | None) -> Decimal | None:
    if quantity is None:
        return None
    try:
        return quantities.parse(quantity)
    except quantities.InvalidQuantity:
        return None
