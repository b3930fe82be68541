"""The rules that lead service addresses to endpoints, kept in the kernel as desired.

What changed between two calls is found by comparing services; only their elements are touched,
in one transaction. Connections that stand keep their endpoint, for the kernel tracks them;
UDP has no end that it could see, so what leads to a removed endpoint is forgotten. So are
tries to connect over TCP that such an endpoint leaves unanswered: the next goes elsewhere.
"""

import asyncio
import logging
import time
from collections.abc import Mapping

from sampan.host.netlink_conntrack import ConnectionTable
from sampan.host.netlink_message import NetlinkError
from sampan.host.nftables import NftablesError
from sampan.network.affinity_rules import affinity_commands
from sampan.network.contract import Endpoint, NodeNetwork, ServicePort
from sampan.network.departed_endpoints import DepartedEndpoints
from sampan.network.ruleset import Ruleset
from sampan.network.service_maps import (
    MAPS,
    Elements,
    layout_mark,
    service_table,
)
from sampan.network.service_plan import (
    Owners,
    Plan,
    ServiceChange,
    element_changes,
    plan,
    present_endpoints,
    removed_endpoints,
    service_changes,
)

_MANY_CHANGES = 200
_TCP, _UDP = 6, 17
_AFFINITY = "affinity-"
_log = logging.getLogger(__name__)


class KernelServiceRules:
    """`contract.ServiceRules` in nf_tables. Methods raise NftablesError and NetlinkError."""

    def __init__(self, network: NodeNetwork, ruleset: Ruleset | None = None) -> None:
        """`ruleset` is shared with the node's PodNetworks."""
        self._table = network.packet_table
        self._network = network
        self._ruleset = ruleset or Ruleset()
        self._applied: dict[str, ServicePort] = {}
        self._owners: Owners = {}
        self._contested: frozenset[str] = frozenset()
        self._departed = DepartedEndpoints()
        self._rule_count = 0
        self._opened = False
        self._applying = asyncio.Lock()

    async def apply(self, services: Mapping[str, ServicePort]) -> None:
        """Make the kernel's rules those of exactly these services (keyed by a stable name).

        Incremental: one endpoint changed is one small atomic transaction. A call with what is
        already there costs nothing. Rules that somebody took are put back first.
        """
        async with self._applying:
            changes = service_changes(self._applied, services)
            try:
                await self._carry_out(changes)
            except (NetlinkError, NftablesError) as refusal:
                _log.warning("the packet rules are not what they were, and made anew: %s", refusal)
                await asyncio.to_thread(self._start_over)
                await self._carry_out(changes)

    async def _carry_out(self, changes: list[ServiceChange]) -> None:
        """A few elements take no time; whatever needs libnftables may, and gets a thread."""
        commands = any(
            _has_affinity(change.before) or _has_affinity(change.after) for change in changes
        )
        if not self._opened or commands or len(changes) > _MANY_CHANGES:
            await asyncio.to_thread(self._make, changes)
        elif changes:
            self._make(changes)

    def _start_over(self) -> None:
        if not self._ruleset.restore():
            self.build()

    async def restore(self) -> bool:
        """Check that the tables are there and rebuild what was flushed; True when it was."""
        async with self._applying:
            return await asyncio.to_thread(self._ruleset.restore)

    async def forget_unanswered(self) -> float | None:
        """Forget tries to connect to endpoints that have left, and didn't answer.

        Seconds until this is worth another call; None when it isn't before rules change.
        """
        due = self._departed.take_due(time.monotonic())
        if due:
            await asyncio.to_thread(_forget_unanswered, due)
        following = self._departed.next_look()
        return None if following is None else max(0.0, following - time.monotonic())

    def _make(self, changes: list[ServiceChange]) -> None:
        with self._ruleset.exclusive():
            planned = plan(changes, self._owners)
            present = planned.before
            if not self._opened:
                present = self._open()
            self._add_chains(planned)
            self._ruleset.apply(element_changes(self._table, present, planned.after))
            self._opened = True
            self._remove_chains(planned)
            self._note(planned)
        self._forget_removed(planned)

    def _open(self) -> Elements:
        """Take over the table of an earlier life with what it holds, or make a fresh one."""
        rules = self._ruleset.rules("ip", self._table)
        same = any(rule.comment == layout_mark(self._network) for rule in rules)
        if not same or any(rule.chain.startswith(_AFFINITY) for rule in rules):
            return self._make_table()
        self._begin()
        return {
            (map_name, element.key): element
            for map_name in MAPS
            for element in self._ruleset.elements("ip", self._table, map_name)
        }

    def _make_table(self) -> Elements:
        self._ruleset.run(service_table(self._network))
        self._begin()
        return {}

    def _begin(self) -> None:
        self._count_rules()
        self._ruleset.add(self)

    def _count_rules(self) -> None:
        self._rule_count = len(self._ruleset.rules("ip", self._table))

    def _add_chains(self, planned: Plan) -> None:
        """The chains of services with affinity that elements are about to lead to."""
        commands: list[str] = []
        for change in planned.accepted:
            if _has_affinity(change.after):
                commands += affinity_commands(
                    self._table, change.name, _with_affinity(change.before), change.after
                )
        self._run(commands)

    def _remove_chains(self, planned: Plan) -> None:
        """The chains that no element leads to any longer."""
        commands: list[str] = []
        for change in planned.accepted:
            if _has_affinity(change.before) and not _has_affinity(change.after):
                commands += affinity_commands(self._table, change.name, change.before, None)
        self._run(commands)

    def _run(self, commands: list[str]) -> None:
        if commands:
            self._ruleset.run("\n".join(commands))
            self._count_rules()

    def _note(self, planned: Plan) -> None:
        for key in planned.before:
            self._owners.pop(key, None)
        self._owners.update(planned.owners)
        for change in planned.accepted:
            if change.after is None:
                self._applied.pop(change.name, None)
            else:
                self._applied[change.name] = change.after
        contested = frozenset(planned.contested)
        for name in sorted(contested - self._contested):
            _log.warning("service %s wants an address and port that another one has", name)
        self._contested = contested

    def _forget_removed(self, planned: Plan) -> None:
        self._departed.leave(removed_endpoints(planned.accepted, "tcp"), time.monotonic())
        self._departed.come(present_endpoints(planned.accepted, "tcp"))
        removed = removed_endpoints(planned.accepted, "udp")
        if removed:
            with ConnectionTable() as connections:
                for endpoint in removed:
                    connections.forget_translated(_UDP, endpoint.address, endpoint.port)

    def intact(self) -> bool:
        return len(self._ruleset.rules("ip", self._table)) == self._rule_count

    def build(self) -> None:
        """Make the table anew with all services that are applied."""
        everything = [ServiceChange(name, None, port) for name, port in self._applied.items()]
        self._owners.clear()
        self._make_table()
        self._make(everything)


def _forget_unanswered(endpoints: list[Endpoint]) -> None:
    with ConnectionTable() as connections:
        for endpoint in endpoints:
            connections.forget_unanswered(_TCP, endpoint.address, endpoint.port)


def _has_affinity(port: ServicePort | None) -> bool:
    return port is not None and bool(port.affinity_seconds) and bool(port.endpoints)


def _with_affinity(port: ServicePort | None) -> ServicePort | None:
    return port if _has_affinity(port) else None
