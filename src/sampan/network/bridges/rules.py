"""The rules of bridges in the kernel: kept as desired, changed element by element."""

import logging
from collections.abc import Iterable

from sampan.host.netlink_message import NetlinkError
from sampan.host.nftables import NftablesError
from sampan.host.nftables_netlink import ElementChange
from sampan.network.bridges.contract import Bridge, BridgeSettings, Port, PublishedPort
from sampan.network.bridges.elements import port_changes, publication_changes
from sampan.network.bridges.tables import FAMILIES, bridge_tables, changed_bridges
from sampan.network.forward_policy import ForwardPolicy
from sampan.network.ruleset import Ruleset

_log = logging.getLogger(__name__)


class BridgeRules:
    """A part of the ruleset. Methods raise NftablesError and NetlinkError, and change nothing
    then; they are called from one thread."""

    def __init__(self, settings: BridgeSettings, ruleset: Ruleset) -> None:
        self._settings = settings
        self._ruleset = ruleset
        self._bridges: dict[str, Bridge] = {}
        self._passages: dict[str, ForwardPolicy] = {}
        self._ports: dict[str, Port] = {}
        self._published: dict[str, tuple[PublishedPort, ...]] = {}
        self._rule_count: int | None = None

    def set_bridges(self, bridges: Iterable[Bridge]) -> None:
        """Make these the bridges; ports and published ports stay."""
        wanted = {bridge.device: bridge for bridge in bridges}
        if wanted == self._bridges and self._rule_count is not None:
            return
        before, self._bridges = self._bridges, wanted
        try:
            self._change_bridges()
        except BaseException:
            self._bridges = before
            raise
        self._ruleset.add(self)
        self._set_passages()

    def _change_bridges(self) -> None:
        if self._rule_count is None:
            self.build()
            return
        try:
            with self._ruleset.exclusive():
                self._ruleset.run(changed_bridges(self._settings.table, self._in_order()))
                self._rule_count = self._count()
        except NftablesError as refusal:
            _log.warning("the packet rules are not what they were, and made anew: %s", refusal)
            self.build()

    def _set_passages(self) -> None:
        """Foreign rules that drop what they don't know let our bridges through."""
        for device in self._passages.keys() - self._bridges.keys():
            passage = self._passages.pop(device)
            self._ruleset.discard(passage)
            passage.take_down()
        for device in self._bridges.keys() - self._passages.keys():
            passage = ForwardPolicy(self._ruleset, (device,), self._settings.table)
            passage.build()
            self._ruleset.add(passage)
            self._passages[device] = passage

    def build(self) -> None:
        """Make all of it anew."""
        table, prefix = self._settings.table, self._settings.port_prefix
        with self._ruleset.exclusive():
            self._ruleset.run(bridge_tables(table, prefix, self._in_order()))
            self._ruleset.apply(
                [
                    *port_changes(table, self._ports.values()),
                    *(
                        change
                        for published in self._published.values()
                        for change in publication_changes(table, published)
                    ),
                ]
            )
            self._rule_count = self._count()

    def _in_order(self) -> list[Bridge]:
        return [self._bridges[device] for device in sorted(self._bridges)]

    def _count(self) -> int:
        table = self._settings.table
        return sum(len(self._ruleset.rules(family, table)) for family in FAMILIES)

    def intact(self) -> bool:
        return self._count() == self._rule_count

    def add_ports(self, ports: Iterable[Port]) -> None:
        """Let these ports speak."""
        added = {port.device: port for port in ports}
        self._ports.update(added)
        try:
            self._apply(port_changes(self._settings.table, added.values()))
        except BaseException:
            for device in added:
                del self._ports[device]
            raise

    def remove_ports(self, devices: Iterable[str]) -> None:
        """Nothing that these ports send is let in any more; no error for one that isn't there."""
        removed = [self._ports.pop(device) for device in devices if device in self._ports]
        self._apply(port_changes(self._settings.table, removed, delete=True))

    def publish(self, owner: str, published: tuple[PublishedPort, ...]) -> list[PublishedPort]:
        """Make these the published ports of an owner, in one transaction; those that are gone."""
        before = self._published.pop(owner, ())
        if published:
            self._published[owner] = published
        gone = [port for port in before if port not in published]
        fresh = [port for port in published if port not in before]
        table = self._settings.table
        self._apply(
            [
                *publication_changes(table, gone, delete=True),
                *publication_changes(table, fresh),
            ]
        )
        return gone

    def _apply(self, changes: Iterable[ElementChange]) -> None:
        """Change elements; where the kernel has not what it should, make it all anew."""
        try:
            self._ruleset.apply(changes)
        except NetlinkError as refusal:
            _log.warning("the packet rules are not what they were, and made anew: %s", refusal)
            self.build()

    def restore(self) -> bool:
        """Build anew what somebody took away; True if there was something."""
        return self._ruleset.restore()
