"""A sandbox while its container runs: its record, its namespace, its name server."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from sampan.engine.networks.sandbox_record import PlacedEndpoint, SandboxRecord
from sampan.network.bridges.bridges import Wiring
from sampan.network.bridges.name_server import NameServer
from sampan.network.bridges.names import SharedNames
from sampan.network.bridges.namespaces import Namespace
from sampan.network.dns_upstream import Address, NameServers


class LiveSandbox:
    """The record is replaced as a whole when something changes."""

    def __init__(self, record: SandboxRecord) -> None:
        self.record = record
        self.namespace: Namespace | None = None
        self.names = SharedNames()
        self.name_server: NameServer | None = None

    def wiring(self) -> Wiring:
        """What the kernel is to have of it."""
        outward = self.record.way_out()
        gateway = outward.settings.gateway if outward else ""
        gateway6 = outward.settings.ipv6_gateway if outward else ""
        return Wiring(
            owner=self.record.identity.identifier,
            ports=tuple(endpoint.as_port() for endpoint in self.record.endpoints),
            published=self.record.published(),
            gateway=IPv4Address(gateway) if gateway else None,
            gateway6=IPv6Address(gateway6) if gateway6 else None,
            way_out=_interface_out(outward),
        )


def _interface_out(outward: PlacedEndpoint | None) -> str:
    """The interface that packets leave by to whoever has them, "" if by a gateway."""
    if outward is None or outward.child is None or outward.child.has_neighbours:
        return ""
    return outward.interface


class SandboxResolvers:
    """Whom to ask about the world's names for one sandbox: nobody while no network leads out."""

    def __init__(self, live: LiveSandbox, outside: NameServers) -> None:
        self._live = live
        self._outside = outside

    def servers(self) -> Sequence[Address]:
        return () if self._live.record.way_out() is None else self._outside.servers()
