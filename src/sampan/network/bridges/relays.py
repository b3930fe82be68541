"""Passing on what no packet rule can lead from a port of the machine to a container.

That is from one version of IP to the other, and whatever comes from ::1. The sockets are those
that hold the ports; how bytes are passed on is the business of each protocol's relay.
"""

from collections.abc import Iterable
from typing import Protocol

from sampan.network.bridges.connection_relay import ConnectionRelay
from sampan.network.bridges.contract import PublishedPort
from sampan.network.bridges.datagram_relay import DatagramRelay
from sampan.network.bridges.reservations import HeldPort


class Relay(Protocol):
    """Runs from its making until it is closed."""

    def close(self) -> None: ...


class Relays:
    """Those of each owner, in the running event loop."""

    def __init__(self) -> None:
        self._relays: dict[str, list[Relay]] = {}

    async def set_relays(
        self, owner: str, held: Iterable[HeldPort], published: Iterable[PublishedPort]
    ) -> None:
        """Have an owner's held ports passed on as far as packet rules don't (OSError)."""
        self.stop(owner)
        targets = {
            (each.protocol, each.host_address, each.host_port): (str(each.address), each.port)
            for each in published
            if each.is_relayed
        }
        for each in held:
            target = targets.get((each.protocol, each.address, each.port))
            if target is not None:
                relay = await _started(each, target)
                self._relays.setdefault(owner, []).append(relay)

    def stop(self, owner: str) -> None:
        """Pass on nothing more; no error if there is no relay."""
        for relay in self._relays.pop(owner, ()):
            relay.close()

    def close(self) -> None:
        for owner in list(self._relays):
            self.stop(owner)


async def _started(held: HeldPort, target: tuple[str, int]) -> Relay:
    own = held.socket.dup()
    own.setblocking(False)
    try:
        if held.protocol == "tcp":
            return await ConnectionRelay.start(own, target)
        return await DatagramRelay.start(own, target)
    except BaseException:
        own.close()
        raise
