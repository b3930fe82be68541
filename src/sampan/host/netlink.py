"""Interfaces, addresses, routes and neighbours of one network namespace, over rtnetlink(7).

Every method is one request to the kernel (some tens of microseconds), so that it may be
called from an event loop. Which devices a node needs is not known here.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Literal, Self

import msgspec

from sampan.host import netlink_message as message
from sampan.host.netlink_message import NetlinkError, NetlinkSocket

_NEW_LINK, _DELETE_LINK, _GET_LINK, _SET_LINK = 16, 17, 18, 19
_NEW_ADDRESS, _DELETE_ADDRESS, _GET_ADDRESS = 20, 21, 22
_NEW_ROUTE, _DELETE_ROUTE, _GET_ROUTE = 24, 25, 26
_NEW_NEIGHBOUR, _DELETE_NEIGHBOUR, _GET_NEIGHBOUR = 28, 29, 30

_IFLA_ADDRESS, _IFLA_NAME, _IFLA_MTU, _IFLA_MASTER = 1, 3, 4, 10
_IFLA_PROTINFO, _IFLA_LINKINFO, _IFLA_NAMESPACE = 12, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_BRIDGE_FORWARD_DELAY, _BRIDGE_SNOOPING = 1, 23
_PORT_HAIRPIN, _PORT_LEARNING, _PORT_ISOLATED = 4, 8, 33
_VXLAN_IDENTIFIER, _VXLAN_LOCAL, _VXLAN_LEARNING, _VXLAN_PORT = 1, 4, 7, 15
_UP = 0x1

_AF_BRIDGE = 7
_ANY_ROUTE_TABLE = 0
_MAIN_TABLE, _STATIC = 254, 4
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_ON_LINK = 4
_PERMANENT, _NO_ARP, _SELF, _TO_MASTER = 0x80, 0x40, 0x2, 0x4

RouteKind = Literal["unicast", "blackhole", "unreachable"]
_ROUTE_KINDS: dict[RouteKind, int] = {"unicast": 1, "blackhole": 6, "unreachable": 7}


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A network interface as the kernel describes it."""

    index: int
    name: str
    kind: str
    master: int
    mtu: int
    hardware_address: str
    up: bool


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


class Netlink:
    """The interfaces of one network namespace. Methods raise NetlinkError (an OSError)."""

    def __init__(self, namespace: Path | None = None) -> None:
        """`namespace` is a pinned namespace; None is the calling thread's own."""
        self._socket = NetlinkSocket(socket.NETLINK_ROUTE, namespace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    # Interfaces

    def link(self, name: str) -> Link | None:
        """The interface called `name`, or None."""
        body = _interface() + message.attribute_text(_IFLA_NAME, name)
        try:
            answers = self._socket.ask(_GET_LINK, 0, body, f"find interface {name}")
        except NetlinkError as refusal:
            if refusal.errno == errno.ENODEV:
                return None
            raise
        return _parse_link(answers[0])

    def links(self) -> list[Link]:
        """Every interface of the namespace."""
        answers = self._socket.ask(_GET_LINK, message.DUMP, _interface(), "list interfaces")
        return [_parse_link(answer) for answer in answers]

    def index(self, name: str) -> int:
        """The index of the interface called `name`; NetlinkError (ENODEV) if there is none."""
        found = self.link(name)
        if found is None:
            raise NetlinkError(errno.ENODEV, f"there is no interface {name}")
        return found.index

    def create_bridge(self, name: str, *, hardware_address: str, mtu: int = 1500) -> None:
        """A bridge, up, whose ports forward at once; EEXIST if the name is taken."""
        options = (
            message.attribute_u32(_BRIDGE_FORWARD_DELAY, 0),
            message.attribute_u8(_BRIDGE_SNOOPING, 0),
        )
        self._create(name, "bridge", options, hardware_address, mtu)

    def create_vxlan(
        self,
        name: str,
        *,
        identifier: int,
        local: IPv4Address,
        port: int,
        hardware_address: str,
        mtu: int,
    ) -> None:
        """A VXLAN device, up, that learns nothing by itself; EEXIST if the name is taken."""
        options = (
            message.attribute_u32(_VXLAN_IDENTIFIER, identifier),
            message.attribute(_VXLAN_LOCAL, local.packed),
            message.attribute_u8(_VXLAN_LEARNING, 0),
            message.attribute(_VXLAN_PORT, struct.pack(">H", port)),
        )
        self._create(name, "vxlan", options, hardware_address, mtu)

    def _create(
        self, name: str, kind: str, options: tuple[bytes, ...], hardware_address: str, mtu: int
    ) -> None:
        body = (
            _interface(flags=_UP, changed=_UP)
            + _link_attributes(name, hardware_address, mtu)
            + _link_info(kind, *options)
        )
        self._new_link(body, f"create {kind} {name}")

    def create_veth(
        self,
        name: str,
        *,
        peer: str,
        peer_namespace: int | None = None,
        hardware_address: str | None = None,
        peer_hardware_address: str | None = None,
        mtu: int = 1500,
        master: str | None = None,
    ) -> None:
        """A pair: `name` here, up, a port of `master`; `peer`, still down (the kernel allows
        no more at birth), in the namespace behind the descriptor `peer_namespace`.

        EEXIST if a name is taken.
        """
        peer_attributes = _link_attributes(peer, peer_hardware_address, mtu)
        if peer_namespace is not None:
            peer_attributes += message.attribute_u32(_IFLA_NAMESPACE, peer_namespace)
        body = (
            _interface(flags=_UP, changed=_UP)
            + _link_attributes(name, hardware_address, mtu)
            + _link_info(
                "veth",
                message.nested(_VETH_PEER, _interface() + peer_attributes),
            )
        )
        if master is not None:
            body += message.attribute_u32(_IFLA_MASTER, self.index(master))
        self._new_link(body, f"create veth {name}")

    def _new_link(self, body: bytes, purpose: str) -> None:
        flags = message.CREATE | message.EXCLUSIVE
        self._socket.request(_NEW_LINK, flags, body, purpose)

    def delete_link(self, name: str) -> bool:
        """Delete an interface; False if there is none."""
        body = _interface() + message.attribute_text(_IFLA_NAME, name)
        return self._unless_missing(_DELETE_LINK, body, f"delete interface {name}", errno.ENODEV)

    def set_up(self, name: str, *, up: bool = True) -> None:
        body = _interface(flags=_UP if up else 0, changed=_UP, index=self.index(name))
        self._change(name, body, "set state of")

    def set_master(self, name: str, master: str | None) -> None:
        """Make `name` a port of the bridge `master`; None releases it."""
        index = 0 if master is None else self.index(master)
        change = message.attribute_u32(_IFLA_MASTER, index)
        self._change(name, _interface(index=self.index(name)) + change, "set master of")

    def set_mtu(self, name: str, mtu: int) -> None:
        change = message.attribute_u32(_IFLA_MTU, mtu)
        self._change(name, _interface(index=self.index(name)) + change, "set MTU of")

    def set_hardware_address(self, name: str, hardware_address: str) -> None:
        change = message.attribute(_IFLA_ADDRESS, _hardware_bytes(hardware_address))
        self._change(name, _interface(index=self.index(name)) + change, "set address of")

    def move_to_namespace(self, name: str, namespace: int) -> None:
        """Move an interface into the namespace behind the descriptor `namespace`."""
        change = message.attribute_u32(_IFLA_NAMESPACE, namespace)
        self._change(name, _interface(index=self.index(name)) + change, "move")

    def set_bridge_port(
        self, name: str, *, hairpin: bool = False, learning: bool = True, isolated: bool = False
    ) -> None:
        """The ways of a bridge's port; `hairpin` lets a frame leave where it came in."""
        options = message.nested(
            _IFLA_PROTINFO,
            message.attribute_u8(_PORT_HAIRPIN, hairpin),
            message.attribute_u8(_PORT_LEARNING, learning),
            message.attribute_u8(_PORT_ISOLATED, isolated),
        )
        body = _interface(index=self.index(name), family=_AF_BRIDGE) + options
        self._change(name, body, "set bridge port")

    def _change(self, name: str, body: bytes, purpose: str) -> None:
        self._socket.request(_SET_LINK, 0, body, f"{purpose} {name}")

    # Addresses

    def add_address(self, name: str, address: IPv4Interface) -> None:
        """Give an interface an address; nothing happens if it has it."""
        body = self._address_body(name, address)
        flags = message.CREATE | message.REPLACE
        self._socket.request(_NEW_ADDRESS, flags, body, f"add {address} to {name}")

    def remove_address(self, name: str, address: IPv4Interface) -> bool:
        """Take an address away; False if the interface does not have it."""
        body = self._address_body(name, address)
        purpose = f"remove {address} from {name}"
        return self._unless_missing(_DELETE_ADDRESS, body, purpose, errno.EADDRNOTAVAIL)

    def _address_body(self, name: str, address: IPv4Interface) -> bytes:
        prefix = address.network.prefixlen
        return (
            struct.pack("=BBBBI", socket.AF_INET, prefix, 0, 0, self.index(name))
            + message.attribute(2, address.packed)
            + message.attribute(1, address.packed)
        )

    def addresses(self, name: str) -> list[IPv4Interface]:
        """The IPv4 addresses of one interface."""
        index = self.index(name)
        body = struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0)
        found = []
        for answer in self._socket.ask(_GET_ADDRESS, message.DUMP, body, "list addresses"):
            _, prefix, _, _, owner = struct.unpack_from("=BBBBI", answer)
            local = message.parse_attributes(answer[8:]).get(2)
            if owner == index and local is not None:
                found.append(IPv4Interface((local, prefix)))
        return found

    # Routes

    def add_route(
        self,
        destination: IPv4Network,
        *,
        gateway: IPv4Address | None = None,
        device: str | None = None,
        source: IPv4Address | None = None,
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
        self._socket.request(_NEW_ROUTE, flags, body, f"add route to {destination}")

    def remove_route(self, destination: IPv4Network) -> bool:
        """Remove the main table's route to exactly this network; False if there is none."""
        body = _route(destination, 0, 255, 0)
        purpose = f"remove route to {destination}"
        return self._unless_missing(_DELETE_ROUTE, body, purpose, errno.ESRCH)

    def routes(self) -> list[Route]:
        """The IPv4 routes of the main table that this module knows the kinds of."""
        kinds = {number: kind for kind, number in _ROUTE_KINDS.items()}
        names = {link.index: link.name for link in self.links()}
        found = []
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, _ANY_ROUTE_TABLE, 0, 0, 0, 0)
        for answer in self._socket.ask(_GET_ROUTE, message.DUMP, body, "list routes"):
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
            + message.attribute(2, _hardware_bytes(hardware_address))
        )
        flags = message.CREATE | message.REPLACE
        self._socket.request(_NEW_NEIGHBOUR, flags, body, f"set neighbour {address} of {name}")

    def remove_neighbour(self, name: str, address: IPv4Address) -> bool:
        """Remove an ARP entry; False if there is none."""
        body = self._neighbour(name, socket.AF_INET, 0, 0) + message.attribute(1, address.packed)
        purpose = f"remove neighbour {address} of {name}"
        return self._unless_missing(_DELETE_NEIGHBOUR, body, purpose, errno.ENOENT)

    def set_forwarding(
        self, name: str, hardware_address: str, destination: IPv4Address | None = None
    ) -> None:
        """A static forwarding entry: on a VXLAN device towards `destination`; on a bridge's
        port (no destination) towards that port."""
        body = self._forwarding(name, hardware_address, destination)
        flags = message.CREATE | message.REPLACE
        purpose = f"forward {hardware_address} on {name}"
        self._socket.request(_NEW_NEIGHBOUR, flags, body, purpose)

    def remove_forwarding(
        self, name: str, hardware_address: str, destination: IPv4Address | None = None
    ) -> bool:
        """Remove a forwarding entry; False if there is none."""
        body = self._forwarding(name, hardware_address, destination)
        purpose = f"stop forwarding {hardware_address} on {name}"
        return self._unless_missing(_DELETE_NEIGHBOUR, body, purpose, errno.ENOENT)

    def _forwarding(
        self, name: str, hardware_address: str, destination: IPv4Address | None
    ) -> bytes:
        flags = _TO_MASTER if destination is None else _SELF
        state = _NO_ARP | _PERMANENT if destination is not None else _NO_ARP
        body = self._neighbour(name, _AF_BRIDGE, state, flags) + message.attribute(
            2, _hardware_bytes(hardware_address)
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
        for answer in self._socket.ask(_GET_NEIGHBOUR, message.DUMP, body, "list neighbours"):
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

    def _unless_missing(self, kind: int, body: bytes, purpose: str, missing: int) -> bool:
        try:
            self._socket.request(kind, 0, body, purpose)
        except NetlinkError as refusal:
            if refusal.errno == missing:
                return False
            raise
        return True


def _interface(
    *, flags: int = 0, changed: int = 0, index: int = 0, family: int = socket.AF_UNSPEC
) -> bytes:
    return struct.pack("=BxHiII", family, 0, index, flags, changed)


def _link_attributes(name: str, hardware_address: str | None, mtu: int) -> bytes:
    attributes = message.attribute_text(_IFLA_NAME, name) + message.attribute_u32(_IFLA_MTU, mtu)
    if hardware_address is not None:
        attributes += message.attribute(_IFLA_ADDRESS, _hardware_bytes(hardware_address))
    return attributes


def _link_info(kind: str, *options: bytes) -> bytes:
    data = message.nested(_INFO_DATA, *options)
    return message.nested(_IFLA_LINKINFO, message.attribute_text(_INFO_KIND, kind), data)


def _route(destination: IPv4Network, kind: int, scope: int, flags: int) -> bytes:
    head = (socket.AF_INET, destination.prefixlen, 0, 0, _MAIN_TABLE, _STATIC, scope, kind, flags)
    body = struct.pack("=BBBBBBBBI", *head)
    if destination.prefixlen:
        body += message.attribute(1, destination.network_address.packed)
    return body


def _hardware_bytes(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))


def _parse_link(body: bytes) -> Link:
    _, _, index, flags, _ = struct.unpack_from("=BxHiII", body)
    attributes = message.parse_attributes(body[16:])
    info = message.parse_attributes(attributes.get(_IFLA_LINKINFO, b""))
    return Link(
        index=index,
        name=attributes[_IFLA_NAME].rstrip(b"\0").decode(),
        kind=info.get(_INFO_KIND, b"").rstrip(b"\0").decode(),
        master=struct.unpack("=I", attributes.get(_IFLA_MASTER, bytes(4)))[0],
        mtu=struct.unpack("=I", attributes[_IFLA_MTU])[0],
        hardware_address=attributes.get(_IFLA_ADDRESS, b"").hex(":"),
        up=bool(flags & _UP),
    )
