"""The base tables of one node as a part of its ruleset, with the peers that may send to it."""

from collections.abc import Iterable
from ipaddress import IPv4Address

from sampan.host.nftables_netlink import Element, ElementChange
from sampan.network.base_rules import base_tables
from sampan.network.contract import NodeNetwork
from sampan.network.ruleset import Ruleset

_FAMILIES = ("inet", "bridge")


class BasePart:
    """Guards, rejection and masquerade of one node (methods: NftablesError, NetlinkError)."""

    def __init__(self, network: NodeNetwork, ruleset: Ruleset) -> None:
        self._network = network
        self._ruleset = ruleset
        self._peers: frozenset[IPv4Address] = frozenset()
        self._rule_count = 0

    def build(self) -> None:
        """Replace both tables in one transaction."""
        self._ruleset.run(base_tables(self._network, self._peers))
        self._rule_count = self._count()

    def _count(self) -> int:
        table = self._network.packet_table
        return sum(len(self._ruleset.rules(family, table)) for family in _FAMILIES)

    def intact(self) -> bool:
        return self._count() == self._rule_count

    def expect_peers(self, peers: frozenset[IPv4Address]) -> None:
        """Whom `build` is to let in, before it is called."""
        self._peers = peers

    def set_peers(self, peers: frozenset[IPv4Address]) -> None:
        """Let in overlay packets of exactly these nodes."""
        gone, fresh = self._peers - peers, peers - self._peers
        changes = []
        if gone:
            changes.append(self._change(gone, delete=True))
        if fresh:
            changes.append(self._change(fresh, delete=False))
        self._ruleset.apply(changes)
        self._peers = peers

    def _change(self, addresses: Iterable[IPv4Address], *, delete: bool) -> ElementChange:
        elements = tuple(Element(address.packed) for address in addresses)
        return ElementChange("inet", self._network.packet_table, "peers", elements, delete)

    def take_down(self) -> None:
        """Remove both tables and that of the services; no error if they are not there."""
        for family in ("ip", *_FAMILIES):
            table = f"{family} {self._network.packet_table}"
            self._ruleset.run(f"table {table}\ndelete table {table}")
