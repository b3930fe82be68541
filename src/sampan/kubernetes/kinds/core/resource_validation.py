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
    most, wanted = _values(limits), _values(requests)
    for part, given, values in (("limits", limits, most), ("requests", requests, wanted)):
        for name, quantity in given.items():
            if name not in _NATIVE:
                yield from _check_name(name, f"{field}.{part}[{name}]")
            if values.get(name, 0) < 0:
                detail = "must be greater than or equal to 0"
                yield invalid(f"{field}.{part}[{name}]", quantity, detail)
    for name, value in wanted.items():
        if name not in most:
            continue
        if not overcommits(name) and value != most[name]:
            detail = f"must be equal to {name} limit of {limits[name]}"
            yield invalid(f"{field}.requests", requests[name], detail)
        elif value > most[name]:
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            yield invalid(f"{field}.requests", requests[name], detail)
    for name in limits:
        if not overcommits(name) and name not in requests:
            yield required(f"{field}.requests[{name}]", "must be specified like its limit")


def check_overhead(overhead: dict[str, str], field: str) -> Iterator[Cause]:
    """What a pod takes besides its containers: amounts of native resources."""
    values = _values(overhead)
    for name, quantity in overhead.items():
        if name not in _NATIVE:
            yield from _check_name(name, f"{field}[{name}]")
        if values.get(name, 0) < 0:
            yield invalid(f"{field}[{name}]", quantity, "must be greater than or equal to 0")


def overcommits(name: str) -> bool:
    """Extended resources and huge pages can't be promised twice; native ones can."""
    return ("/" not in name or "kubernetes.io/" in name) and not name.startswith(_HUGE_PAGES)


def _check_name(name: str, field: str) -> Iterator[Cause]:
    """A resource that is not native."""
    for message in names.qualified_name(name):
        yield invalid(field, name, message)
    if "/" not in name and not name.startswith(_HUGE_PAGES):
        yield invalid(field, name, "must be a standard resource for containers")


def _values(given: dict[str, str]) -> dict[str, Decimal]:
    """The quantities that parse."""
    values: dict[str, Decimal] = {}
    for name, quantity in given.items():
        try:
            values[name] = quantities.parse(quantity)
        except quantities.InvalidQuantity:
            continue
    return values
