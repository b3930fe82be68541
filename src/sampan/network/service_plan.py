"""What must change in the kernel's maps when services change. Pure.

An address and port lead to one service only. Should two claim the same (external addresses
are the users' own), the one that has it keeps it, and the other waits until it is free.
"""

import itertools
import operator
from collections.abc import Iterable, Mapping

import msgspec

from sampan.host.nftables_netlink import Element, ElementChange
from sampan.network.affinity_rules import affinity_chain
from sampan.network.contract import Endpoint, ServicePort, TransportProtocol
from sampan.network.service_maps import Elements, service_elements

Owners = dict[tuple[str, bytes], str]


class ServiceChange(msgspec.Struct, frozen=True):
    """One service before and after; None is its absence."""

    name: str
    before: ServicePort | None
    after: ServicePort | None


class Plan(msgspec.Struct, frozen=True):
    """What is to be done: `accepted` changes, whose elements go from `before` to `after`."""

    accepted: tuple[ServiceChange, ...]
    contested: tuple[str, ...]
    before: Elements
    after: Elements
    owners: Owners


def service_changes(
    applied: Mapping[str, ServicePort], desired: Mapping[str, ServicePort]
) -> list[ServiceChange]:
    """The services that differ; the same object twice is not even compared."""
    # without a step of Python for each of ten thousand services that are as they were
    differs = map(operator.is_not, desired.values(), map(applied.get, desired))
    others = list(itertools.compress(desired, differs))
    added = sum(name not in applied for name in others)
    changes = []
    if len(applied) + added > len(desired):
        gone = applied.keys() - desired.keys()
        changes = [ServiceChange(name, applied[name], None) for name in gone]
    for name in others:
        before, after = applied.get(name), desired[name]
        if before != after:
            changes.append(ServiceChange(name, before, after))
    return changes


def plan(changes: Iterable[ServiceChange], owners: Owners) -> Plan:
    """Decide which of the changes can be made beside what `owners` have."""
    ordered = sorted(changes, key=lambda change: change.before is None)
    before: Elements = {}
    for change in ordered:
        before.update(_elements(change.name, change.before))
    after: Elements = {}
    claims: Owners = {}
    accepted, contested = [], []
    for change in ordered:
        wanted = _elements(change.name, change.after)
        if any(key in claims or (key in owners and key not in before) for key in wanted):
            contested.append(change.name)
            wanted = {}
            change = ServiceChange(change.name, change.before, None)  # noqa: PLW2901
        claims.update(dict.fromkeys(wanted, change.name))
        after.update(wanted)
        accepted.append(change)
    return Plan(tuple(accepted), tuple(contested), before, after, claims)


def _elements(name: str, port: ServicePort | None) -> Elements:
    if port is None:
        return {}
    return service_elements(port, affinity_chain(name) if port.affinity_seconds else "")


def element_changes(table: str, before: Elements, after: Elements) -> list[ElementChange]:
    """Lead the maps of `table` from one content to the other: first deletions, then additions."""
    gone = [(key, element) for key, element in before.items() if after.get(key) != element]
    fresh = [(key, element) for key, element in after.items() if before.get(key) != element]
    return [*_grouped(table, gone, delete=True), *_grouped(table, fresh, delete=False)]


def _grouped(
    table: str, elements: list[tuple[tuple[str, bytes], Element]], *, delete: bool
) -> list[ElementChange]:
    by_map: dict[str, list[Element]] = {}
    for (map_name, _), element in elements:
        by_map.setdefault(map_name, []).append(element)
    return [
        ElementChange("ip", table, map_name, tuple(group), delete)
        for map_name, group in by_map.items()
    ]


def removed_endpoints(
    changes: Iterable[ServiceChange], protocol: TransportProtocol
) -> set[Endpoint]:
    """Endpoints that a service of this protocol had and has no longer."""
    removed: set[Endpoint] = set()
    for change in changes:
        if change.before is not None and change.before.protocol == protocol:
            kept = set(change.after.endpoints) if change.after is not None else set()
            removed |= set(change.before.endpoints) - kept
    return removed


def present_endpoints(
    changes: Iterable[ServiceChange], protocol: TransportProtocol
) -> set[Endpoint]:
    """Endpoints that a service of this protocol has now."""
    return {
        endpoint
        for change in changes
        if change.after is not None and change.after.protocol == protocol
        for endpoint in change.after.endpoints
    }
