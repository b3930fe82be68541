"""ServiceCIDR and IPAddress: where services' addresses come from, and which are taken."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.field_rules import (
    check_canonical_address,
    check_canonical_range,
    check_required_text,
    check_text,
    network_of,
)
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import IMMUTABLE, check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import IP_ADDRESSES, SERVICE_CIDRS
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, required

_FIELD = "spec.cidrs"


def _range_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    ranges = part(new, "spec", "cidrs") or []
    before = (part(old, "spec", "cidrs") or []) if old is not None else None
    if before is None or len(before) != len(ranges):
        yield from _check_ranges(ranges)
    if before is None:
        return
    if len(ranges) < len(before):
        yield invalid(_FIELD, ranges, IMMUTABLE)
    for index, (given, earlier) in enumerate(zip(ranges, before, strict=False)):
        yield from check_immutable(given, earlier, f"{_FIELD}[{index}]")


def _check_ranges(ranges: list[str]) -> Iterator[Cause]:
    if not ranges:
        yield required(_FIELD, "at least one CIDR required")
    elif len(ranges) > 2:
        yield invalid(_FIELD, ranges, "may only hold up to 2 values")
    else:
        for index, given in enumerate(ranges):
            yield from check_canonical_range(given, f"{_FIELD}[{index}]")
        networks = [network_of(it) for it in ranges]
        families = [network.version for network in networks if network is not None]
        if len(families) == 2 and families[0] == families[1]:
            detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
            yield invalid(_FIELD, ranges, detail + "2001:db8::/64")


def _address_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    name = new["metadata"].get("name", "")
    if name:
        yield from check_canonical_address(name, "metadata.name")
    reference = part(new, "spec", "parentRef")
    if reference is None:
        yield required("spec.parentRef")
    else:
        field = "spec.parentRef"
        if reference.get("group"):
            yield from check_text(names.subdomain, reference["group"], f"{field}.group")
        for key in ("resource", "name"):
            yield from check_required_text(reference, key, field, names.path_segment)
        if reference.get("namespace"):
            yield from check_text(names.path_segment, reference["namespace"], f"{field}.namespace")
    if old is not None:
        yield from check_immutable(reference, part(old, "spec", "parentRef"), "spec.parentRef")


def _prepare_address(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old, "spec")


def _parent(address: Object) -> str:
    reference = part(address, "spec", "parentRef") or {}
    resource = ".".join(it for it in (reference.get("resource"), reference.get("group")) if it)
    kept = (resource, reference.get("namespace"), reference.get("name"))
    return "/".join(it for it in kept if it)


SERVICE_CIDR = make(
    SERVICE_CIDRS,
    rules=_range_rules,
    prepare=strategies.keep_status_count_generation,
    status=True,
    columns=(
        NAME,
        text(
            "CIDRs",
            lambda obj: ",".join(part(obj, "spec", "cidrs") or ()),
            about="The ranges from which services get their addresses.",
        ),
        AGE,
    ),
)
IP_ADDRESS = make(
    IP_ADDRESSES,
    rules=_address_rules,
    prepare=_prepare_address,
    name_form="path-segment",
    short_names=("ip",),
    columns=(
        NAME,
        text("ParentRef", _parent, about="The object to which the address belongs."),
    ),
)
