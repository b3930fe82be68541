"""The machine's ports of each sandbox: which it wants, held while it runs, and passed on.

Packet rules lead most of them into containers (`SandboxRecord.published`); what no rule can is
passed on by relays of this process.
"""

import errno
import logging
from ipaddress import ip_address

import msgspec

from sampan.engine.contract import EngineError
from sampan.engine.networks.live_sandbox import LiveSandbox
from sampan.engine.networks.port_plan import PortWish, opened_where_routed, port_wishes
from sampan.engine.networks.registry import NetworkRegistry
from sampan.engine.networks.sandbox_record import PlacedEndpoint, SandboxRecord
from sampan.engine.networks.settings import EVERYWHERE, NetworkSettings, addresses_of_default
from sampan.network.bridges.contract import Address
from sampan.network.bridges.relays import Relays
from sampan.network.bridges.reservations import PortTaken, Reservations, is_usable

_log = logging.getLogger(__name__)


class SandboxPorts:
    """Those of one engine, in the calling thread's network namespace."""

    def __init__(self, settings: NetworkSettings, registry: NetworkRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._reservations = Reservations()
        self._relays = Relays()

    def wishes(self, record: SandboxRecord) -> tuple[PortWish, ...]:
        """What a sandbox wants; nothing without a network that leads outside, or where its
        neighbours reach it without the machine. Raises InvalidConfiguration."""
        outward = record.way_out()
        if outward is None or outward.child is not None:
            return ()
        request = record.request
        wishes = port_wishes(
            request.exposed_ports,
            request.port_bindings,
            publish_all=request.publish_all_ports,
            default_addresses=tuple(filter(is_usable, self._default_addresses(outward))),
        )
        return tuple(opened_where_routed(wish, outward.routed) for wish in wishes)

    def _default_addresses(self, outward: PlacedEndpoint) -> tuple[Address, ...]:
        """Where no address is named, the network may say one, else the settings do."""
        network = self._registry.get(outward.network)
        chosen = network.attachment.host_address if network and network.attachment else ""
        addresses = self._settings.host_addresses
        if chosen:
            addresses = addresses_of_default(ip_address(chosen))
        present = {address.version for address in addresses}
        routed = (each for each in EVERYWHERE if each.version in outward.routed)
        return (*addresses, *(each for each in routed if each.version not in present))

    def hold(self, live: LiveSandbox) -> None:
        """Hold all that is wanted, or EngineError in Docker's words."""
        record = live.record
        outward = record.way_out()
        if not record.wishes or outward is None:
            return
        container = record.identity.identifier
        place = f"{record.identity.name} ({outward.settings.endpoint_identifier})"
        failed = f"driver failed programming external connectivity on endpoint {place}"
        try:
            wanted = [wish.wanted() for wish in record.wishes]
            held = self._reservations.reserve(container, wanted)
        except PortTaken as taken:
            raise EngineError(
                f"{failed}: Bind for {taken} failed: port is already allocated"
            ) from taken
        except OSError as refusal:
            reason = refusal.strerror
            if refusal.errno == errno.EPROTONOSUPPORT:
                reason = "the kernel of this machine has no SCTP"
            raise EngineError(f"{failed}: {reason}") from refusal
        live.record = msgspec.structs.replace(record, host_ports=tuple(held))

    def settle(self, live: LiveSandbox, before: SandboxRecord) -> None:
        """Ports are held from when a network leads outside until none does any more (EngineError,
        then those of the record before are held)."""
        record = live.record
        if record.way_out() is None:
            self.release(record.identity.identifier)
            live.record = msgspec.structs.replace(record, wishes=(), host_ports=())
        elif before.way_out() is None:
            live.record = msgspec.structs.replace(record, wishes=self.wishes(record))
            self.hold(live)

    def hold_again(self, record: SandboxRecord) -> None:
        """Hold what an earlier process held; what somebody else has by now is logged."""
        for wish, port in zip(record.wishes, record.host_ports, strict=True):
            wanted = msgspec.structs.replace(wish, first=port, last=port).wanted()
            try:
                self._reservations.reserve(record.identity.identifier, [wanted])
            except (PortTaken, OSError) as problem:
                name = record.identity.name
                _log.warning("port %d of %s is somebody else's now: %s", port, name, problem)

    async def relay(self, record: SandboxRecord) -> None:
        """Pass on what comes to the held ports, to where they lead now (OSError)."""
        owner = record.identity.identifier
        await self._relays.set_relays(owner, self._reservations.held(owner), record.published())

    def release(self, container: str) -> None:
        """Let go of all that a container has; no error if there is nothing."""
        self._relays.stop(container)
        self._reservations.release(container)

    def close(self) -> None:
        self._relays.close()
        self._reservations.close()
