"""What a claim asks for: requests for devices, constraints between them, configuration."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.field_rules import check_choice, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.resource_claims.device_rules import (
    MAXIMUM_ENTRIES,
    check_configuration,
    check_count,
    check_exactly_one,
    check_fully_qualified,
    check_names,
    check_selectors,
    check_tolerations,
)
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import duplicate, invalid, required

_MODES = ("All", "ExactCount")
_MAXIMUM_ALTERNATIVES = 8
_MAXIMUM_TOLERATIONS = 16
_NO_SUCH_REQUEST = (
    "must be the name of a request in the claim or the name of a request and a subrequest "
    "separated by '/'"
)


def default_claim_spec(spec: Object) -> None:
    """Of each device one, exactly."""
    for request in (spec.get("devices") or {}).get("requests") or ():
        if "exactly" in request:
            _default_request(request["exactly"])
        for alternative in request.get("firstAvailable") or ():
            _default_request(alternative)


def _default_request(request: Object) -> None:
    request.setdefault("allocationMode", "ExactCount")
    if request["allocationMode"] == "ExactCount" and not request.get("count"):
        request["count"] = 1
    for toleration in request.get("tolerations") or ():
        toleration.setdefault("operator", "Equal")


def request_names(spec: Object) -> set[str]:
    """What results and constraints may call the requests: `name`, or `name/alternative`."""
    found: set[str] = set()
    for request in (spec.get("devices") or {}).get("requests") or ():
        name = request.get("name", "")
        found.add(name)
        found |= {f"{name}/{it.get('name', '')}" for it in request.get("firstAvailable") or ()}
    return found


def check_claim_spec(spec: Object, field: str) -> Iterator[Cause]:
    devices, path = spec.get("devices") or {}, f"{field}.devices"
    requests = devices.get("requests") or []
    yield from check_count(requests, MAXIMUM_ENTRIES, f"{path}.requests")
    yield from check_names(requests, names.label, f"{path}.requests")
    for index, request in enumerate(requests):
        yield from _check_request(request, f"{path}.requests[{index}]")
    known = request_names(spec)
    constraints = devices.get("constraints") or []
    yield from check_count(constraints, MAXIMUM_ENTRIES, f"{path}.constraints")
    for index, constraint in enumerate(constraints):
        where = f"{path}.constraints[{index}]"
        yield from _check_references(constraint, known, where)
        given = constraint.get("matchAttribute") or constraint.get("distinctAttribute")
        if not given:
            yield required(f"{where}.matchAttribute")
        for key in ("matchAttribute", "distinctAttribute"):
            if constraint.get(key):
                yield from check_fully_qualified(constraint[key], f"{where}.{key}")
    configurations = devices.get("config") or []
    yield from check_count(configurations, MAXIMUM_ENTRIES, f"{path}.config")
    for index, entry in enumerate(configurations):
        where = f"{path}.config[{index}]"
        yield from _check_references(entry, known, where)
        yield from check_configuration(entry, where)


def _check_request(request: Object, field: str) -> Iterator[Cause]:
    yield from check_exactly_one(request, ("exactly", "firstAvailable"), field)
    if "exactly" in request:
        yield from _check_exact(request["exactly"], f"{field}.exactly")
    alternatives, path = request.get("firstAvailable") or [], f"{field}.firstAvailable"
    yield from check_count(alternatives, _MAXIMUM_ALTERNATIVES, path)
    yield from check_names(alternatives, names.label, path)
    for index, alternative in enumerate(alternatives):
        yield from _check_exact(alternative, f"{path}[{index}]")


def _check_exact(request: Object, field: str) -> Iterator[Cause]:
    device_class = request.get("deviceClassName", "")
    if not device_class:
        yield required(f"{field}.deviceClassName")
    else:
        yield from check_text(names.subdomain, device_class, f"{field}.deviceClassName")
    yield from check_selectors(request.get("selectors") or [], f"{field}.selectors")
    yield from check_choice(request, "allocationMode", _MODES, field)
    count = request.get("count", 0)
    if request.get("allocationMode") == "All" and count:
        detail = "must not be specified when allocationMode is 'All'"
        yield invalid(f"{field}.count", count, detail)
    elif request.get("allocationMode") == "ExactCount" and count <= 0:
        yield invalid(f"{field}.count", count, "must be greater than zero")
    tolerations = request.get("tolerations") or []
    yield from check_tolerations(tolerations, f"{field}.tolerations", _MAXIMUM_TOLERATIONS)


def _check_references(entry: Object, known: set[str], field: str) -> Iterator[Cause]:
    given = entry.get("requests") or []
    yield from check_count(given, MAXIMUM_ENTRIES, f"{field}.requests")
    for index, name in enumerate(given):
        path = f"{field}.requests[{index}]"
        if name not in known:
            yield invalid(path, name, _NO_SUCH_REQUEST)
        if name in given[:index]:
            yield duplicate(path, name)
