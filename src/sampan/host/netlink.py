"""Interfaces, addresses, routes and neighbours of one network namespace, over rtnetlink(7).

A request takes some tens of microseconds, unless interfaces are being taken down at the same
time: then the kernel holds it up for tens of milliseconds, so that an event loop should not make
it. Which devices a node needs is not known here.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Literal

import msgspec

from sampan.host import netlink_message as message
from sampan.host.netlink_links import LinkSocket, hardware_bytes

_NEW_ADDRESS = 20
_NEW_ROUTE, _DELETE_ROUTE, _GET_ROUTE = 24, 25, 26
_NEW_NEIGHBOUR, _DELETE_NEIGHBOUR, _GET_NEIGHBOUR = 28, 29, 30

_AF_BRIDGE = 7
_ANY_ROUTE_TABLE = 0
_MAIN_TABLE, _STATIC = 254, 4
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_ON_LINK = 4
_NO_DUPLICATE_DETECTION = 0x02
_PERMANENT, _NO_ARP, _SELF, _TO_MASTER = 0x80, 0x40, 0x2, 0x4

RouteKind = Literal["unicast", "blackhole", "unreachable"]
_ROUTE_KINDS: dict[RouteKind, int] = {"unicast": 1, "blackhole": 6, "unreachable": 7}


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route of the main table."""

    destination: IPv4Network
    gateway: IPv4Address | None = None
    device: str | None = None
    kind: RouteKind = "unicast"


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """An address of a device's neighbour or forwarding table, and where it leads."""

    hardware_address: str
    address: IPv4Address | None


class Netlink(LinkSocket):
    """Everything of one network namespace. Methods raise NetlinkError (an OSError)."""

    # Addresses

    def add_address(self, name: str, address: IPv4Interface | IPv6Interface) -> None:
        """Give an interface an address; nothing happens if it has it.

        One of IPv6 may be used at once, so whoever gives it must know that it is free.
        """
        family = _family(address)
        state = _NO_DUPLICATE_DETECTION if family == socket.AF_INET6 else 0
        head = (family, address.network.prefixlen, state, 0, self.index(name))
        body = (
            struct.pack("=BBBBI", *head)
            + message.attribute(2, address.packed)
            + message.attribute(1, address.packed)
        )
        flags = message.CREATE | message.REPLACE
        self.socket.request(_NEW_ADDRESS, flags, body, f"add {address} to {name}")

    # Routes

    def add_route(
        self,
        destination: IPv4Network | IPv6Network,
        *,
        gateway: IPv4Address | IPv6Address | None = None,
        device: str | None = None,
        source: IPv4Address | IPv6Address | None = None,
        kind: RouteKind = "unicast",
        on_link: bool = False,
    ) -> None:
        """Add a route or replace the one with the same destination.

        `source` is the address that local programs then speak from; `on_link` lets the
        gateway be one that no other route reaches.
        """
        scope = _SCOPE_LINK if gateway is None and kind == "unicast" else _SCOPE_UNIVERSE
        body = _route(destination, _ROUTE_KINDS[kind], scope, _ON_LINK if on_link else 0)
        if gateway is not None:
            body += message.attribute(5, gateway.packed)
        if device is not None:
            body += message.attribute_u32(4, self.index(device))
        if source is not None:
            body += message.attribute(7, source.packed)
        flags = message.CREATE | message.REPLACE
        self.socket.request(_NEW_ROUTE, flags, body, f"add route to {destination}")

    def remove_route(self, destination: IPv4Network | IPv6Network) -> bool:
        """Remove the main table's route to exactly this network; False if there is none."""
        body = _route(destination, 0, 255, 0)
        purpose = f"remove route to {destination}"
        return self.unless_missing(_DELETE_ROUTE, body, purpose, errno.ESRCH)

    def routes(self) -> list[Route]:
        """The IPv4 routes of the main table that this module knows the kinds of."""
        kinds = {number: kind for kind, number in _ROUTE_KINDS.items()}
        names = {link.index: link.name for link in self.links()}
        found = []
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, _ANY_ROUTE_TABLE, 0, 0, 0, 0)
        for answer in self.socket.ask(_GET_ROUTE, message.DUMP, body, "list routes"):
            _, prefix, _, _, table, _, _, kind, _ = struct.unpack_from("=BBBBBBBBI", answer)
            if table != _MAIN_TABLE or kind not in kinds:
                continue
            attributes = message.parse_attributes(answer[12:])
            device = attributes.get(4)
            gateway = attributes.get(5)
            found.append(
                Route(
                    destination=IPv4Network((attributes.get(1, bytes(4)), prefix)),
                    gateway=None if gateway is None else IPv4Address(gateway),
                    device=None if device is None else names[struct.unpack("=I", device)[0]],
                    kind=kinds[kind],
                )
            )
        return found

    # Neighbours and forwarding entries

    def set_neighbour(self, name: str, address: IPv4Address, hardware_address: str) -> None:
        """A permanent ARP entry, added or replaced."""
        body = (
            self._neighbour(name, socket.AF_INET, _PERMANENT, 0)
            + message.attribute(1, address.packed)
            + message.attribute(2, hardware_bytes(hardware_address))
        )
        flags = message.CREATE | message.REPLACE
        self.socket.request(_NEW_NEIGHBOUR, flags, body, f"set neighbour {address} of {name}")

    def remove_neighbour(self, name: str, address: IPv4Address) -> bool:
        """Remove an ARP entry; False if there is none."""
        body = self._neighbour(name, socket.AF_INET, 0, 0) + message.attribute(1, address.packed)
        purpose = f"remove neighbour {address} of {name}"
        return self.unless_missing(_DELETE_NEIGHBOUR, body, purpose, errno.ENOENT)

    def set_forwarding(
        self, name: str, hardware_address: str, destination: IPv4Address | None = None
    ) -> None:
        """A static forwarding entry: on a VXLAN device towards `destination`; on a bridge's
        port (no destination) towards that port."""
        body = self._forwarding(name, hardware_address, destination)
        flags = message.CREATE | message.REPLACE
        purpose = f"forward {hardware_address} on {name}"
        self.socket.request(_NEW_NEIGHBOUR, flags, body, purpose)

    def remove_forwarding(
        self, name: str, hardware_address: str, destination: IPv4Address | None = None
    ) -> bool:
        """Remove a forwarding entry; False if there is none."""
        body = self._forwarding(name, hardware_address, destination)
        purpose = f"stop forwarding {hardware_address} on {name}"
        return self.unless_missing(_DELETE_NEIGHBOUR, body, purpose, errno.ENOENT)

    def _forwarding(
        self, name: str, hardware_address: str, destination: IPv4Address | None
    ) -> bytes:
        flags = _TO_MASTER if destination is None else _SELF
        state = _NO_ARP | _PERMANENT if destination is not None else _NO_ARP
        body = self._neighbour(name, _AF_BRIDGE, state, flags) + message.attribute(
            2, hardware_bytes(hardware_address)
        )
        if destination is not None:
            body += message.attribute(1, destination.packed)
        return body

    def neighbours(self, name: str) -> list[Neighbour]:
        """The ARP entries of one interface that have a hardware address."""
        return list(self._dump_neighbours(name, socket.AF_INET))

    def forwarding(self, name: str) -> list[Neighbour]:
        """The forwarding entries of one interface."""
        return list(self._dump_neighbours(name, _AF_BRIDGE))

    def _dump_neighbours(self, name: str, family: int) -> Iterator[Neighbour]:
        index = self.index(name)
        body = struct.pack("=BxHiHBB", family, 0, 0, 0, 0, 0)
        for answer in self.socket.ask(_GET_NEIGHBOUR, message.DUMP, body, "list neighbours"):
            (owner,) = struct.unpack_from("=i", answer, 4)
            attributes = message.parse_attributes(answer[12:])
            if owner == index and 2 in attributes:
                address = attributes.get(1)
                yield Neighbour(
                    hardware_address=attributes[2].hex(":"),
                    address=IPv4Address(address) if address and len(address) == 4 else None,
                )

    def _neighbour(self, name: str, family: int, state: int, flags: int) -> bytes:
        return struct.pack("=BxHiHBB", family, 0, self.index(name), state, flags, 0)


def _family(address: IPv4Interface | IPv6Interface | IPv4Network | IPv6Network) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _route(destination: IPv4Network | IPv6Network, kind: int, scope: int, flags: int) -> bytes:
    family = _family(destination)
    head = (family, destination.prefixlen, 0, 0, _MAIN_TABLE, _STATIC, scope, kind, flags)
    body = struct.pack("=BBBBBBBBI", *head)
    if destination.prefixlen:
        body += message.attribute(1, destination.network_address.packed)
    return body
