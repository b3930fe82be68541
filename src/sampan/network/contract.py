"""What the node agent asks of the network: desired state in, one `apply` that does the I/O.

No Kubernetes types and no containers: addresses, endpoints and names only.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Literal, Protocol

import msgspec

TransportProtocol = Literal["tcp", "udp"]


class NodeNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """The fixed facts of one node's network, from which its devices and rules are planned."""

    bridge: str
    overlay_device: str
    overlay_identifier: int
    node_device: str
    node_address: IPv4Address
    pod_subnet: IPv4Network
    pod_range: IPv4Network
    service_range: IPv4Network
    node_range: IPv4Network
    loopback_address: IPv4Address | None
    packet_table: str
    namespace_folder: Path
    state_file: Path

    @property
    def gateway(self) -> IPv4Address:
        """The bridge's own address: the first of the pod subnet."""
        return self.pod_subnet[1]


class Peer(msgspec.Struct, frozen=True):
    """Another node: where its overlay packets go, and which pods it has."""

    name: str
    address: IPv4Address
    pod_subnet: IPv4Network


class Attachment(msgspec.Struct, frozen=True):
    """A pod's network: the pinned namespace and its address."""

    identifier: str
    namespace: Path
    address: IPv4Address


class PodNetwork(Protocol):
    async def start(self) -> None:
        """Make the bridge, overlay device, routes and base rules; adopts what is there."""

    async def attach(self, identifier: str) -> Attachment:
        """A ready namespace with an address and default route; idempotent by identifier."""

    async def detach(self, identifier: str) -> None:
        """Take it away and free its address; no error if it isn't there."""

    def attachments(self) -> Mapping[str, Attachment]: ...

    async def set_peers(self, peers: tuple[Peer, ...]) -> None:
        """Make routes and forwarding entries those of exactly these peers."""

    async def stop(self) -> None:
        """Take down every device, namespace and rule that `start` and `attach` made."""

    async def close(self) -> None:
        """Let go of sockets; everything stays in the kernel."""


class Endpoint(msgspec.Struct, frozen=True, order=True):
    address: IPv4Address
    port: int


class ServicePort(msgspec.Struct, frozen=True, kw_only=True):
    """One port of one service. Without endpoints its packets are rejected.

    `affinity_seconds` 0 means none; `node_port` 0 means none;
    `external_addresses` are further addresses that lead to it.
    """

    name: str
    protocol: TransportProtocol
    address: IPv4Address | None
    port: int
    node_port: int = 0
    endpoints: tuple[Endpoint, ...] = ()
    affinity_seconds: int = 0
    external_addresses: tuple[IPv4Address, ...] = ()


class ServiceRules(Protocol):
    async def apply(self, services: Mapping[str, ServicePort]) -> None:
        """Make the kernel's rules those of exactly these services (keyed by a stable name).

        Incremental: one endpoint changed is one small atomic transaction. A call with what is
        already there costs nothing.
        """

    async def forget_unanswered(self) -> float | None:
        """Forget tries to connect to endpoints that have left, and didn't answer.

        Seconds until this is worth another call; None when it isn't before rules change.
        """

    async def restore(self) -> bool:
        """Check that the table is there and rebuild it if it was flushed; True when it was."""


class DnsRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute names (lower-case, no dot at the end) and what they resolve to."""

    addresses: dict[str, tuple[IPv4Address, ...]] = {}
    services: dict[str, tuple[tuple[int, str], ...]] = {}
    pointers: dict[IPv4Address, str] = {}


class NameServer(Protocol):
    """The DNS server's process, as its owner sees it."""

    async def start(self) -> None: ...

    async def publish(self, changed: DnsRecords, removed: tuple[str, ...] = ()) -> None:
        """Add or replace the names in `changed`, forget those in `removed`."""

    async def stop(self) -> None: ...
