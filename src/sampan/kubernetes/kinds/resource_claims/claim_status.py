"""What a claim was given: devices, for whom they are reserved, what drivers tell of them."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.field_rules import check_driver_name, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.resource_claims.claim_spec import request_names
from sampan.kubernetes.kinds.resource_claims.device_rules import (
    MAXIMUM_ENTRIES,
    check_configuration,
    check_count,
    check_pool,
)
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import duplicate, forbidden, invalid, required, unsupported

_MAXIMUM_CONSUMERS = 256
_SOURCES = ("FromClaim", "FromClass")
_NO_ALLOCATION = "may not be specified when `allocated` is not set"
_NO_SUCH_REQUEST = (
    "must be the name of a request in the claim or the name of a request and a subrequest "
    "separated by '/'"
)
_NOT_ALLOCATED = "must be an allocated device in the claim"
_DEVICE = ("driver", "pool", "device")


def check_claim_status(new: Object, old: Object | None) -> Iterator[Cause]:
    status, spec = new.get("status") or {}, new.get("spec") or {}
    allocation = status.get("allocation")
    if allocation is not None:
        yield from _check_allocation(allocation, request_names(spec), "status.allocation")
    yield from _check_consumers(status, allocation)
    yield from _check_devices(status, allocation)
    if old is None:
        return
    before = (old.get("status") or {}).get("allocation")
    if before is not None and allocation is not None:
        yield from check_immutable(allocation, before, "status.allocation")
    elif before is not None and status.get("reservedFor"):
        yield forbidden("status.reservedFor", _NO_ALLOCATION)


def _check_allocation(allocation: Object, known: set[str], field: str) -> Iterator[Cause]:
    devices, path = allocation.get("devices") or {}, f"{field}.devices"
    results = devices.get("results") or []
    yield from check_count(results, MAXIMUM_ENTRIES, f"{path}.results")
    for index, result in enumerate(results):
        where = f"{path}.results[{index}]"
        if result.get("request", "") not in known:
            yield invalid(f"{where}.request", result.get("request", ""), _NO_SUCH_REQUEST)
        yield from _check_device(result, where)
    configurations = devices.get("config") or []
    yield from check_count(configurations, 2 * MAXIMUM_ENTRIES, f"{path}.config")
    for index, entry in enumerate(configurations):
        where = f"{path}.config[{index}]"
        source = entry.get("source", "")
        if not source:
            yield required(f"{where}.source")
        elif source not in _SOURCES:
            yield unsupported(f"{where}.source", source, _SOURCES)
        for position, name in enumerate(entry.get("requests") or ()):
            if name not in known:
                yield invalid(f"{where}.requests[{position}]", name, _NO_SUCH_REQUEST)
        yield from check_configuration(entry, where)


def _check_device(result: Object, field: str) -> Iterator[Cause]:
    yield from check_driver_name(result.get("driver", ""), f"{field}.driver")
    yield from check_pool(result.get("pool", ""), f"{field}.pool")
    device = result.get("device", "")
    if not device:
        yield required(f"{field}.device")
    else:
        yield from check_text(names.label, device, f"{field}.device")


def _check_consumers(status: Object, allocation: Object | None) -> Iterator[Cause]:
    consumers, field = status.get("reservedFor") or [], "status.reservedFor"
    yield from check_count(consumers, _MAXIMUM_CONSUMERS, field)
    seen: set[str] = set()
    for index, consumer in enumerate(consumers):
        path = f"{field}[{index}]"
        if consumer.get("apiGroup"):
            yield from check_text(names.subdomain, consumer["apiGroup"], f"{path}.apiGroup")
        for key in ("resource", "name", "uid"):
            if not consumer.get(key):
                yield required(f"{path}.{key}")
        uid = consumer.get("uid", "")
        if uid in seen:
            yield duplicate(f"{path}.uid", uid)
        seen.add(uid)
    if consumers and allocation is None:
        yield forbidden(field, _NO_ALLOCATION)


def _check_devices(status: Object, allocation: Object | None) -> Iterator[Cause]:
    field, devices = "status.devices", status.get("devices") or []
    yield from check_count(devices, MAXIMUM_ENTRIES, field)
    results = ((allocation or {}).get("devices") or {}).get("results") or ()
    allocated = [_identity(result) for result in results]
    seen: list[tuple[str, ...]] = []
    for index, device in enumerate(devices):
        path, identity = f"{field}[{index}]", _identity(device)
        yield from _check_device(device, path)
        if identity in seen:
            yield duplicate(path, "/".join(identity))
        if identity not in allocated:
            yield invalid(path, "/".join(identity), _NOT_ALLOCATED)
        seen.append(identity)


def _identity(device: Object) -> tuple[str, ...]:
    share = (device["shareID"],) if device.get("shareID") else ()
    return (*(device.get(key, "") for key in _DEVICE), *share)
