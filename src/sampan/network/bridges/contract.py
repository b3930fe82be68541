"""Bridges and their ports as desired: plain facts, from which devices and rules are planned."""

from collections.abc import Mapping
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
)
from pathlib import Path
from typing import Literal

import msgspec

PublishedProtocol = Literal["tcp", "udp", "sctp"]
# How one version of IP passes a bridge's gateway: with the machine's address (`nat`; what is
# behind it can be reached by nobody, or by whoever has a route), with its own (`routed`), or not
# at all, since the bridge has no address of its own.
GatewayMode = Literal["nat", "nat-unprotected", "routed", "isolated"]
Address = IPv4Address | IPv6Address
ChildKind = Literal["macvlan", "ipvlan"]
_EVERYWHERE6 = IPv6Address(0)


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """A bridge and the subnets behind it. `gateway` is the bridge's own address.

    `internal`: nothing gets in or out but to the machine itself; `isolated`: its ports do not
    reach one another; `masquerade`: what leaves it speaks with the machine's address, with
    `source` or `source6` if it is to be a certain one.
    """

    device: str
    gateway: IPv4Interface | None
    gateway6: IPv6Interface | None = None
    mtu: int = 1500
    internal: bool = False
    isolated: bool = False
    masquerade: bool = True
    mode: GatewayMode = "nat"
    mode6: GatewayMode = "nat"
    source: IPv4Address | None = None
    source6: IPv6Address | None = None


class ParentLink(msgspec.Struct, frozen=True, kw_only=True):
    """An interface of the machine that those of containers stand on, on its own or on the VLAN
    `tag` of the one `below`. `made` tells what it is, if it is ours to make and to remove."""

    device: str
    made: Literal["", "dummy", "vlan"] = ""
    below: str = ""
    tag: int = 0


class ChildLink(msgspec.Struct, frozen=True, kw_only=True):
    """How an interface stands on its parent: modes and flags of ip-link(8). An `mtu` of 0 is the
    parent's."""

    parent: ParentLink
    kind: ChildKind
    mode: str
    flag: str = ""
    mtu: int = 0

    @property
    def has_own_hardware_address(self) -> bool:
        return self.kind == "macvlan"

    @property
    def has_neighbours(self) -> bool:
        """Whether it asks others for their hardware addresses, a gateway among them."""
        return self.mode not in ("l3", "l3s")


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of interfaces: `device` is a port of the bridge, `interface` is in a namespace; with
    a `child`, the one interface in a namespace that stands on the machine's.

    Rates are in bytes a second, 0 for none; `rate_in` is what the namespace receives.
    """

    device: str
    bridge: str
    interface: str
    hardware_address: str
    address: IPv4Interface | None
    address6: IPv6Interface | None = None
    rate_in: int = 0
    rate_out: int = 0
    child: ChildLink | None = None


class PublishedPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port of the machine that leads to a port behind a bridge; 0.0.0.0 and :: are every
    address of their version. With the machine's port 0 it is the port behind the bridge itself
    that may be reached."""

    protocol: PublishedProtocol
    host_address: Address
    host_port: int
    address: Address
    port: int

    @property
    def is_opened(self) -> bool:
        return self.host_port == 0

    @property
    def is_translated(self) -> bool:
        """Whether packet rules can lead there: no version of IP is translated into the other,
        and what comes from ::1 finds no way back through another interface."""
        return (
            self.host_port != 0
            and self.host_address.version == self.address.version
            and not (self.host_address.version == 6 and self.host_address.is_loopback)
        )

    @property
    def is_relayed(self) -> bool:
        """Whether a program must pass on what packet rules can't, be it from ::1 alone."""
        return self.host_port != 0 and (not self.is_translated or self.host_address == _EVERYWHERE6)


class BridgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from the instance's name: tables, the beginning of ports' names, folders."""

    table: str
    port_prefix: str
    namespace_folder: Path


Names = Mapping[str, tuple[Address, ...]]
