"""CSIDriver, CSINode and CSIStorageCapacity: what storage drivers tell of themselves."""

from collections.abc import Iterator
from decimal import Decimal

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, number, part, text
from sampan.kubernetes.kinds.field_rules import (
    check_choice,
    check_driver_name,
    check_text,
)
from sampan.kubernetes.kinds.kind import Cause, Column, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable, check_label_selector
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import CSI_DRIVERS, CSI_NODES, CSI_STORAGE_CAPACITIES
from sampan.kubernetes.machinery import names, quantities
from sampan.kubernetes.machinery.causes import duplicate, invalid, required, unsupported

_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_MODES = ("Ephemeral", "Persistent")
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 1 << 32
_SHORTEST_UPDATE_PERIOD = 10
_LONGEST_NODE_ID = 256
_DRIVER_DEFAULTS = {
    "attachRequired": True,
    "podInfoOnMount": False,
    "storageCapacity": False,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "requiresRepublish": False,
    "seLinuxMount": False,
}


def _default_driver(driver: Object) -> None:
    spec = driver.setdefault("spec", {})
    for key, value in _DRIVER_DEFAULTS.items():
        spec.setdefault(key, value)
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def _prepare_driver(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old, "spec")


def _driver_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from check_choice(spec, "fsGroupPolicy", _GROUP_POLICIES, "spec")
    yield from _check_tokens(spec.get("tokenRequests") or [])
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in _MODES:
            yield unsupported("spec.volumeLifecycleModes", mode, _MODES)
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < _SHORTEST_UPDATE_PERIOD:
        detail = "must be greater than or equal to 10 seconds"
        yield invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, detail)
    if old is not None:
        before = old.get("spec") or {}
        # Upstream names the first field so.
        for key, field in (
            ("attachRequired", "spec.attachedRequired"),
            ("volumeLifecycleModes", "spec.volumeLifecycleModes"),
        ):
            yield from check_immutable(spec.get(key), before.get(key), field)


def _check_tokens(requests: list[Object]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, request in enumerate(requests):
        field, audience = f"spec.tokenRequests[{index}]", request.get("audience", "")
        if audience in seen:
            yield duplicate(f"{field}.audience", audience)
            continue
        seen.add(audience)
        seconds = request.get("expirationSeconds", _SHORTEST_TOKEN)
        if seconds < _SHORTEST_TOKEN:
            detail = "may not specify a duration less than 10 minutes"
            yield invalid(f"{field}.expirationSeconds", seconds, detail)
        if seconds > _LONGEST_TOKEN:
            detail = "may not specify a duration larger than 2^32 seconds"
            yield invalid(f"{field}.expirationSeconds", seconds, detail)


def _node_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    seen: set[str] = set()
    drivers = part(new, "spec", "drivers") or []
    for index, driver in enumerate(drivers):
        field, name = f"spec.drivers[{index}]", driver.get("name", "")
        yield from _check_node_driver(driver, field)
        if name in seen:
            yield duplicate(f"{field}.name", name)
        seen.add(name)
    earlier = {it["name"]: it for it in part(old or {}, "spec", "drivers") or ()}
    for driver in drivers:
        before = earlier.get(driver.get("name", ""))
        if before is not None:
            yield from check_immutable(_fixed(driver), _fixed(before), "spec.drivers")


def _fixed(driver: Object) -> Object:
    """All but how many volumes may be attached, which drivers measure anew."""
    return {key: value for key, value in driver.items() if key != "allocatable"}


def _check_node_driver(driver: Object, field: str) -> Iterator[Cause]:
    yield from check_driver_name(driver.get("name", ""), f"{field}.name")
    node_id = driver.get("nodeID", "")
    if not node_id:
        yield required(f"{field}.nodeID")
    elif len(node_id.encode()) > _LONGEST_NODE_ID:
        detail = f"must be {_LONGEST_NODE_ID} characters or less"
        yield invalid(f"{field}.nodeID", node_id, detail)
    count = part(driver, "allocatable", "count") or 0
    if count < 0:
        detail = "must be greater than or equal to 0"
        yield invalid(f"{field}.allocatable.count", count, detail)
    keys: set[str] = set()
    for key in driver.get("topologyKeys") or ():
        if not key:
            yield required(field)
            continue
        if key in keys:
            yield duplicate(field, key)
        keys.add(key)
        yield from check_text(names.qualified_name, key, field)


def _capacity_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    yield from check_label_selector(new.get("nodeTopology"), "nodeTopology")
    name = new.get("storageClassName", "")
    yield from check_text(names.subdomain, name, "storageClassName")
    capacity = new.get("capacity")
    if capacity is not None and quantities.parse(capacity) < Decimal(0):
        yield invalid("capacity", capacity, "must be greater than or equal to 0")
    if old is not None:
        for key in ("nodeTopology", "storageClassName"):
            yield from check_immutable(new.get(key), old.get(key), key)


def _flag(name: str, key: str, about: str) -> Column:
    return Column(
        name=name,
        type="boolean",
        cell=lambda obj, _now: bool(part(obj, "spec", key)),
        description=about,
    )


def _token_requests(driver: Object) -> str:
    requests = part(driver, "spec", "tokenRequests") or ()
    return ",".join(it.get("audience", "") for it in requests) or "<unset>"


CSI_DRIVER = make(
    CSI_DRIVERS,
    default=_default_driver,
    prepare=_prepare_driver,
    rules=_driver_rules,
    columns=(
        NAME,
        _flag("AttachRequired", "attachRequired", "Whether volumes must be attached to nodes."),
        _flag("PodInfoOnMount", "podInfoOnMount", "Whether the driver is told of the pod."),
        _flag("StorageCapacity", "storageCapacity", "Whether pods wait for free capacity."),
        text("TokenRequests", _token_requests, about="Whose tokens the driver needs."),
        _flag("RequiresRepublish", "requiresRepublish", "Whether volumes are published again."),
        text(
            "Modes",
            lambda obj: ",".join(part(obj, "spec", "volumeLifecycleModes") or ()),
            about="The kinds of volumes that the driver can provide.",
        ),
        AGE,
    ),
)
CSI_NODE = make(
    CSI_NODES,
    rules=_node_rules,
    columns=(
        NAME,
        number(
            "Drivers",
            lambda obj: len(part(obj, "spec", "drivers") or ()),
            about="How many drivers run on the node.",
        ),
        AGE,
    ),
)
CSI_STORAGE_CAPACITY = make(
    CSI_STORAGE_CAPACITIES,
    rules=_capacity_rules,
    columns=(
        NAME,
        text(
            "StorageClassName",
            lambda obj: obj.get("storageClassName", ""),
            about="The class that the capacity is for.",
        ),
        text("Capacity", lambda obj: obj.get("capacity", "<unset>"), about="How much is free."),
    ),
)
