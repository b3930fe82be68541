"""Bridges, their rules and the namespaces behind them, kept in the kernel as desired.

Everything that speaks to the kernel is done by one thread, one job after the other, but for
making namespaces ready, which takes long and concerns nobody else. Nothing is
touched before there is a first bridge. Rules that somebody flushes are built anew at once: the
kernel tells of every change.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import ParamSpec, TypeVar

import msgspec

from sampan.host.netlink import Netlink
from sampan.host.netlink_conntrack import ConnectionTable
from sampan.host.nftables import NftablesError
from sampan.host.nftables_watch import RulesetWatch
from sampan.network.bridges.contract import (
    Bridge,
    BridgeSettings,
    ParentLink,
    Port,
    PublishedPort,
)
from sampan.network.bridges.devices import BridgeDevices
from sampan.network.bridges.namespaces import Namespace, Namespaces
from sampan.network.bridges.removal import remove_bridges
from sampan.network.bridges.rules import BridgeRules
from sampan.network.ruleset import Ruleset

READY_NAMESPACES = 4
_SETTLE_SECONDS = 0.2
_UDP = 17
_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_R = TypeVar("_R")


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """How one namespace is plugged in: its ports, where its other packets go, and which of the
    machine's ports lead there, known by their owner. `way_out` is the interface that other packets
    leave by where there is no gateway."""

    owner: str
    ports: tuple[Port, ...] = ()
    published: tuple[PublishedPort, ...] = ()
    gateway: IPv4Address | None = None
    gateway6: IPv6Address | None = None
    way_out: str = ""


class Bridges:
    """In the network namespace of whoever makes it. Methods raise OSError and NftablesError."""

    def __init__(self, settings: BridgeSettings, ready: int = READY_NAMESPACES) -> None:
        """`ready` is how many namespaces wait to be taken."""
        self._settings = settings
        self._namespaces = Namespaces(settings.namespace_folder)
        self._bridges: dict[str, Bridge] = {}
        self._netlink: Netlink | None = None
        self._ruleset: Ruleset | None = None
        self._rules: BridgeRules | None = None
        self._watch: RulesetWatch | None = None
        self._restoring: asyncio.TimerHandle | None = None
        self._looking: set[asyncio.Task[None]] = set()
        self._ready = ready
        self._thread = ThreadPoolExecutor(1, "bridges")
        self._filler = ThreadPoolExecutor(1, "ready-namespaces")

    async def _in_kernel(
        self, job: Callable[_P, _R], *arguments: _P.args, **options: _P.kwargs
    ) -> _R:
        """A job is finished even when nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        call = functools.partial(job, *arguments, **options)
        return await asyncio.shield(loop.run_in_executor(self._thread, call))

    # Bridges

    async def start(self, bridges: Iterable[Bridge]) -> None:
        """Make these the bridges, and take away what an earlier life left of others."""
        wanted = list(bridges)
        if not wanted:
            await self._in_kernel(self._remove_remains)
        await self.set_bridges(wanted)

    def _remove_remains(self) -> None:
        """The kernel is only looked at where nothing was ever made."""
        with closing(Ruleset()) as ruleset, Netlink() as netlink:
            if ruleset.rules("inet", self._settings.table):
                remove_bridges(self._settings.table, ruleset, netlink)

    async def set_bridges(self, bridges: Iterable[Bridge]) -> None:
        """Make these the bridges; those that are there are taken over."""
        wanted = {bridge.device: bridge for bridge in bridges}
        if not wanted and self._rules is None:
            return
        await self._in_kernel(self._set_bridges, wanted)
        if self._watch is None:
            self._watch = RulesetWatch(self._rules_changed)

    def _set_bridges(self, wanted: dict[str, Bridge]) -> None:
        devices = self._devices()
        for device, bridge in wanted.items():
            if self._bridges.get(device) != bridge or not devices.has_bridge(device):
                devices.start_bridge(bridge)
        self._opened_rules().set_bridges(wanted.values())
        for device in self._bridges.keys() - wanted.keys():
            devices.stop_bridge(device)
        self._bridges = wanted

    def _devices(self) -> BridgeDevices:
        if self._netlink is None:
            self._netlink = Netlink()
        return BridgeDevices(self._netlink)

    def _opened_rules(self) -> BridgeRules:
        if self._rules is None:
            self._ruleset = Ruleset()
            self._rules = BridgeRules(self._settings, self._ruleset)
        return self._rules

    async def routed_networks(self) -> list[IPv4Network]:
        """What the machine has routes to, but for the default one and those to our bridges."""
        without = frozenset(self._bridges)
        return await self._in_kernel(lambda: self._devices().routed_networks(without))

    # Parents of interfaces

    async def have_parent(self, parent: ParentLink) -> None:
        """Make a parent, if it is ours to make, or find it there."""
        await self._in_kernel(lambda: self._devices().have_parent(parent))

    async def remove_parent(self, parent: ParentLink) -> None:
        """Remove a parent, if it is ours to remove."""
        await self._in_kernel(lambda: self._devices().remove_parent(parent))

    # Namespaces

    async def open_namespace(self, wiring: Wiring) -> Namespace:
        """A namespace of one's own, plugged in; nothing is left of it after an error."""
        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(self._thread, self._open, wiring)
        try:
            namespace = await asyncio.shield(opening)
        except asyncio.CancelledError:
            namespace = await opening
            namespace.close()
            await self.close_namespace(namespace.identifier, wiring)
            raise
        loop.run_in_executor(self._filler, self._fill)
        return namespace

    def _open(self, wiring: Wiring) -> Namespace:
        namespace = self._namespaces.take()
        try:
            self._plug_in(namespace, wiring)
        except BaseException:
            self._discard(namespace.identifier, wiring)
            namespace.close()
            raise
        return namespace

    def _plug_in(self, namespace: Namespace, wiring: Wiring) -> None:
        self._add_ports(namespace.identifier, wiring.ports)
        if wiring.ports:
            self._set_gateways(namespace.identifier, wiring)
        self._publish(wiring)

    def _publish(self, wiring: Wiring) -> None:
        """Datagrams have no end that the kernel could see: what leads to where a port led before
        is forgotten."""
        if not wiring.published and self._rules is None:
            return
        gone = self._opened_rules().publish(wiring.owner, wiring.published)
        datagrams = [port for port in gone if port.protocol == "udp" and port.is_translated]
        if datagrams:
            with ConnectionTable() as connections:
                for port in datagrams:
                    connections.forget_translated(_UDP, port.address, port.port)

    def _add_ports(self, identifier: str, ports: tuple[Port, ...]) -> None:
        if not ports:
            return
        devices = self._devices()
        bridged = _bridged(ports)
        if bridged:
            self._opened_rules().add_ports(bridged)
        for port in ports:
            if port.child is not None:
                devices.add_child(port, port.child, self._namespaces.path(identifier))
                continue
            bridge = self._bridges[port.bridge]
            if not devices.has_bridge(port.bridge):
                devices.start_bridge(bridge)
            devices.plug_in(port, self._namespaces.path(identifier), isolated=bridge.isolated)

    def _set_gateways(self, identifier: str, wiring: Wiring) -> None:
        path = self._namespaces.path(identifier)
        self._devices().set_gateways(path, wiring.gateway, wiring.gateway6, wiring.way_out)

    def _fill(self) -> None:
        """In a thread of its own, so that nobody waits for it."""
        try:
            self._namespaces.fill(self._ready)
        except (OSError, NftablesError):
            _log.warning("a namespace could not be made ready", exc_info=True)

    async def adopt_namespace(self, identifier: str, wiring: Wiring) -> Namespace | None:
        """Take up a namespace of an earlier life as it is wired; None if it is no more."""
        return await self._in_kernel(self._adopt, identifier, wiring)

    def _adopt(self, identifier: str, wiring: Wiring) -> Namespace | None:
        if not self._namespaces.exists(identifier):
            return None
        if bridged := _bridged(wiring.ports):
            self._opened_rules().add_ports(bridged)
        self._publish(wiring)
        return self._namespaces.open(identifier)

    async def connect(self, identifier: str, port: Port, wiring: Wiring) -> None:
        """Add one port to a namespace, whose wiring is as given from then on."""
        await self._in_kernel(self._connect, identifier, port, wiring)

    def _connect(self, identifier: str, port: Port, wiring: Wiring) -> None:
        try:
            self._add_ports(identifier, (port,))
            self._set_gateways(identifier, wiring)
            self._publish(wiring)
        except BaseException:
            self._unplug(identifier, port)
            raise

    def _unplug(self, identifier: str, port: Port) -> None:
        if port.child is not None:
            self._devices().remove_child(port, self._namespaces.path(identifier))
            return
        self._opened_rules().remove_ports((port.device,))
        self._devices().unplug(port.device)

    async def disconnect(self, identifier: str, port: Port, wiring: Wiring) -> None:
        """Take one port from a namespace, whose wiring is as given from then on."""
        await self._in_kernel(self._disconnect, identifier, port, wiring)

    def _disconnect(self, identifier: str, port: Port, wiring: Wiring) -> None:
        self._publish(wiring)
        self._unplug(identifier, port)
        self._set_gateways(identifier, wiring)

    async def close_namespace(self, identifier: str, wiring: Wiring) -> None:
        """It is cut off at once; it ends with its interfaces once nobody is in it."""
        await self._in_kernel(self._discard, identifier, wiring)

    def _discard(self, identifier: str, wiring: Wiring) -> None:
        self._publish(Wiring(owner=wiring.owner))
        if bridged := _bridged(wiring.ports):
            self._opened_rules().remove_ports([port.device for port in bridged])
        self._namespaces.remove(identifier)

    async def remove_other_namespaces(self, kept: Iterable[str]) -> None:
        """Unpin every namespace but these (by identifier)."""
        await self._in_kernel(self._namespaces.remove_others, frozenset(kept))

    # Rules that somebody flushed

    def _rules_changed(self) -> None:
        """Changes come in bursts, our own among them: look when they have settled."""
        if self._restoring is None:
            loop = asyncio.get_running_loop()
            self._restoring = loop.call_later(_SETTLE_SECONDS, self._look)

    def _look(self) -> None:
        self._restoring = None
        task = asyncio.get_running_loop().create_task(self._restore())
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _restore(self) -> None:
        try:
            if await self._in_kernel(self._opened_rules().restore):
                _log.warning("packet rules had been taken away; they are back")
        except (OSError, NftablesError) as error:
            _log.error("packet rules were not restored: %s", error)

    async def close(self) -> None:
        """Let go of sockets and the thread; what is in use stays in the kernel."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._restoring is not None:
            self._restoring.cancel()
            self._restoring = None
        await asyncio.gather(*self._looking)
        await asyncio.to_thread(self._filler.shutdown, cancel_futures=True)
        await self._in_kernel(self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        self._namespaces.close()
        if self._ruleset is not None:
            self._ruleset.close()
        if self._netlink is not None:
            self._netlink.close()


def _bridged(ports: Iterable[Port]) -> list[Port]:
    """Those that packet rules know; what stands on the machine's interfaces passes none."""
    return [port for port in ports if port.child is None]
