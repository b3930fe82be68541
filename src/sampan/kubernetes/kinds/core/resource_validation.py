"""The rules of resource requests and limits."""

from collections.abc import Iterator
from decimal import Decimal

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names, quantities
from sampan.kubernetes.machinery.causes import duplicate, invalid, not_found, required, unsupported

_NATIVE = ("cpu", "memory", "ephemeral-storage")
_OF_PODS = ("cpu", "memory")
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


def check_claims(resources: Object, field: str, known: frozenset[str]) -> Iterator[Cause]:
    """The claims of a pod that one container uses."""
    seen: set[tuple[str, str]] = set()
    for index, claim in enumerate(resources.get("claims") or ()):
        name, request = claim.get("name", ""), claim.get("request", "")
        if not name:
            yield required(f"{field}[{index}].name")
        elif (name, request) in seen:
            yield duplicate(f"{field}[{index}]", f"{name}/{request}" if request else name)
        elif name not in known:
            yield not_found(f"{field}[{index}].name", name)
        seen.add((name, request))


def check_overhead(overhead: dict[str, str], field: str) -> Iterator[Cause]:
    """What a pod takes besides its containers: amounts of native resources."""
    values = _values(overhead)
    for name, quantity in overhead.items():
        if name not in _NATIVE:
            yield from _check_name(name, f"{field}[{name}]")
        if values.get(name, 0) < 0:
            yield invalid(f"{field}[{name}]", quantity, "must be greater than or equal to 0")


def check_pod_resources(spec: Object, field: str) -> Iterator[Cause]:
    """Requests and limits of a pod as a whole: enough for its containers, and no container
    more than the whole."""
    whole = spec["resources"]
    yield from check_resources(whole, f"{field}.resources")
    most, wanted = _values(whole.get("limits") or {}), _values(whole.get("requests") or {})
    for name in (*(whole.get("limits") or {}), *(whole.get("requests") or {})):
        if name not in _OF_PODS and not name.startswith(_HUGE_PAGES):
            yield unsupported(f"{field}.resources", name, _OF_PODS)
    total: dict[str, Decimal] = {}
    for index, container in enumerate(spec.get("containers") or ()):
        given = container.get("resources") or {}
        for name, value in _values(given.get("requests") or {}).items():
            total[name] = total.get(name, Decimal(0)) + value
        for name, value in _values(given.get("limits") or {}).items():
            if name in most and value > most[name]:
                path = f"{field}.containers[{index}].resources.limits"
                detail = f"must be less than or equal to pod limits of {whole['limits'][name]}"
                yield invalid(path, given["limits"][name], detail)
    for name, value in total.items():
        if name in wanted and value > wanted[name]:
            path = f"{field}.resources.requests[{name}]"
            detail = f"must be greater than or equal to aggregate container requests of {value}"
            yield invalid(path, whole["requests"][name], detail)


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
