"""DeviceClass, ResourceSlice and DeviceTaintRule: which devices there are, and in what state."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.field_rules import check_driver_name, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import DEVICE_CLASSES, DEVICE_TAINT_RULES, RESOURCE_SLICES
from sampan.kubernetes.kinds.resource_claims.device_rules import (
    MAXIMUM_ENTRIES,
    check_configuration,
    check_count,
    check_exactly_one,
    check_names,
    check_pool,
    check_qualified,
    check_selectors,
    check_taint,
)
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, too_long, too_many

_MAXIMUM_DEVICES, _MAXIMUM_RICH_DEVICES = 128, 64
_MAXIMUM_COUNTER_SETS = 8
_MAXIMUM_TAINTS = 16
_LONGEST_VALUE = 64
_VALUES = ("bool", "int", "string", "version", "bools", "ints", "strings", "versions")
_PLACES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_DEVICE_PLACES = ("nodeName", "nodeSelector", "allNodes")


def _count_spec(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old, "spec")


def _class_rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from check_selectors(spec.get("selectors") or [], "spec.selectors")
    configurations = spec.get("config") or []
    yield from check_count(configurations, MAXIMUM_ENTRIES, "spec.config")
    for index, entry in enumerate(configurations):
        yield from check_configuration(entry, f"spec.config[{index}]")
    if spec.get("extendedResourceName"):
        name = spec["extendedResourceName"]
        yield from check_text(names.qualified_name, name, "spec.extendedResourceName")


def _slice_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from check_driver_name(spec.get("driver", ""), "spec.driver")
    yield from _check_pool(spec.get("pool") or {}, "spec.pool")
    yield from check_exactly_one(spec, _PLACES, "spec")
    if spec.get("nodeName"):
        yield from check_text(names.subdomain, spec["nodeName"], "spec.nodeName")
    counters = spec.get("sharedCounters") or []
    yield from check_count(counters, _MAXIMUM_COUNTER_SETS, "spec.sharedCounters")
    yield from check_names(counters, names.label, "spec.sharedCounters")
    yield from _check_devices(spec, "spec.devices")
    if old is not None:
        before = old.get("spec") or {}
        for key in ("driver", "nodeName"):
            yield from check_immutable(spec.get(key), before.get(key), f"spec.{key}")
        name, earlier = part(spec, "pool", "name"), part(before, "pool", "name")
        yield from check_immutable(name, earlier, "spec.pool.name")


def _check_pool(pool: Object, field: str) -> Iterator[Cause]:
    yield from check_pool(pool.get("name", ""), f"{field}.name")
    count, generation = pool.get("resourceSliceCount", 0), pool.get("generation", 0)
    if count <= 0:
        yield invalid(f"{field}.resourceSliceCount", count, "must be greater than zero")
    if generation < 0:
        detail = "must be greater than or equal to zero"
        yield invalid(f"{field}.generation", generation, detail)


def _check_devices(spec: Object, field: str) -> Iterator[Cause]:
    devices = spec.get("devices") or []
    rich = any(device.get("taints") or device.get("consumesCounters") for device in devices)
    yield from check_count(devices, _MAXIMUM_RICH_DEVICES if rich else _MAXIMUM_DEVICES, field)
    yield from check_names(devices, names.label, field)
    for index, device in enumerate(devices):
        path = f"{field}[{index}]"
        if spec.get("perDeviceNodeSelection"):
            yield from check_exactly_one(device, _DEVICE_PLACES, path)
        yield from _check_device(device, path)


def _check_device(device: Object, field: str) -> Iterator[Cause]:
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    if len(attributes) + len(capacity) > MAXIMUM_ENTRIES:
        total = len(attributes) + len(capacity)
        yield invalid(
            field,
            total,
            f"the total number of attributes and capacities must not exceed {MAXIMUM_ENTRIES}",
        )
    for key, value in attributes.items():
        yield from check_qualified(key, f"{field}.attributes")
        yield from _check_attribute(value, f"{field}.attributes[{key}]")
    for key in capacity:
        yield from check_qualified(key, f"{field}.capacity")
    taints = device.get("taints") or []
    if len(taints) > _MAXIMUM_TAINTS:
        yield too_many(f"{field}.taints", len(taints), _MAXIMUM_TAINTS)
    for index, taint in enumerate(taints):
        yield from check_taint(taint, f"{field}.taints[{index}]")


def _check_attribute(value: Object, field: str) -> Iterator[Cause]:
    present = [key for key in _VALUES if key in value]
    if len(present) != 1:
        yield invalid(field, value, "exactly one value must be specified")
    for key in ("string", "version"):
        if len(value.get(key, "").encode()) > _LONGEST_VALUE:
            yield too_long(f"{field}.{key}", _LONGEST_VALUE)


def _taint_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    selector, field = spec.get("deviceSelector") or {}, "spec.deviceSelector"
    if selector.get("driver"):
        yield from check_driver_name(selector["driver"], f"{field}.driver")
    if selector.get("pool"):
        yield from check_pool(selector["pool"], f"{field}.pool")
    if selector.get("device"):
        yield from check_text(names.label, selector["device"], f"{field}.device")
    yield from check_taint(spec.get("taint") or {}, "spec.taint")
    if old is not None:
        before = part(old, "spec", "deviceSelector")
        yield from check_immutable(spec.get("deviceSelector"), before, field)


def _default_taint_rule(rule: Object) -> None:
    """A taint holds from when its rule was made."""
    taint, made = part(rule, "spec", "taint"), rule["metadata"].get("creationTimestamp")
    if taint is not None and made:
        taint.setdefault("timeAdded", made)


DEVICE_CLASS = make(DEVICE_CLASSES, prepare=_count_spec, rules=_class_rules)
RESOURCE_SLICE = make(
    RESOURCE_SLICES,
    prepare=_count_spec,
    rules=_slice_rules,
    selectable=("spec.nodeName", "spec.driver"),
    columns=(
        NAME,
        text(
            "Node", lambda obj: part(obj, "spec", "nodeName") or "", about="Where the devices are."
        ),
        text("Driver", lambda obj: part(obj, "spec", "driver") or "", about="Whose devices."),
        text(
            "Pool",
            lambda obj: part(obj, "spec", "pool", "name") or "",
            about="The pool that the devices belong to.",
        ),
        AGE,
    ),
)
DEVICE_TAINT_RULE = make(
    DEVICE_TAINT_RULES,
    default=_default_taint_rule,
    prepare=strategies.keep_status_count_generation,
    rules=_taint_rules,
    prepare_status=strategies.only_status,
    status=True,
)
