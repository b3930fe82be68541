"""The interfaces of one network namespace: making, changing, finding and deleting them.

Messages of rtnetlink(7). Which devices a node needs is not known here.
"""

import errno
import socket
import struct
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, Self

import msgspec

from sampan.host import netlink_message as message
from sampan.host.netlink_message import NetlinkError, NetlinkSocket

_NEW_LINK, _DELETE_LINK, _GET_LINK, _SET_LINK = 16, 17, 18, 19
_IFLA_ADDRESS, _IFLA_NAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_PROTINFO, _IFLA_LINKINFO, _IFLA_NAMESPACE = 12, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_BRIDGE_FORWARD_DELAY, _BRIDGE_SNOOPING = 1, 23
_PORT_HAIRPIN, _PORT_LEARNING, _PORT_ISOLATED = 4, 8, 33
_VXLAN_IDENTIFIER, _VXLAN_LOCAL, _VXLAN_LEARNING, _VXLAN_PORT = 1, 4, 7, 15
# linux/if_link.h.
_MACVLAN_MODE, _IPVLAN_MODE, _IPVLAN_FLAGS, _VLAN_IDENTIFIER = 1, 1, 2, 1
_MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
_IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
_IPVLAN_FLAG_BITS = {"": 0, "bridge": 0, "private": 1, "vepa": 2}
_UP = 0x1
_AF_BRIDGE = 7


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A network interface as the kernel describes it."""

    index: int
    name: str
    kind: str
    master: int
    mtu: int
    hardware_address: str
    up: bool


class LinkSocket:
    """The interfaces of one network namespace. Methods raise NetlinkError (an OSError)."""

    def __init__(self, namespace: Path | None = None) -> None:
        """`namespace` is a pinned namespace; None is the calling thread's own."""
        self.socket = NetlinkSocket(socket.NETLINK_ROUTE, namespace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def link(self, name: str) -> Link | None:
        """The interface called `name`, or None."""
        body = _interface() + message.attribute_text(_IFLA_NAME, name)
        try:
            answers = self.socket.ask(_GET_LINK, 0, body, f"find interface {name}")
        except NetlinkError as refusal:
            if refusal.errno == errno.ENODEV:
                return None
            raise
        return _parse_link(answers[0])

    def links(self) -> list[Link]:
        """Every interface of the namespace."""
        answers = self.socket.ask(_GET_LINK, message.DUMP, _interface(), "list interfaces")
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

    def create_dummy(self, name: str) -> None:
        """An interface that leads nowhere, up; EEXIST if the name is taken."""
        self._new_link(child_link_body(name, kind="dummy"), f"create dummy {name}")

    def create_vlan(self, name: str, *, below: str, tag: int) -> None:
        """The VLAN of an interface, up; EEXIST if the name is taken."""
        options = (message.attribute(_VLAN_IDENTIFIER, struct.pack("=H", tag)),)
        body = child_link_body(name, kind="vlan", below=self.index(below), options=options)
        self._new_link(body, f"create vlan {name}")

    def create_child(
        self,
        name: str,
        *,
        parent: str,
        kind: Literal["macvlan", "ipvlan"],
        mode: str,
        flag: str = "",
        namespace: int,
        hardware_address: str | None = None,
        mtu: int = 0,
    ) -> None:
        """An interface, still down, that stands on another of this namespace, in the one behind
        the descriptor. Modes and flags are those of ip-link(8); an `mtu` of 0 is the parent's.

        EEXIST if the name is taken, EBUSY if the parent has a child that bears no other.
        """
        body = child_link_body(
            name,
            kind=kind,
            below=self.index(parent),
            options=_child_options(kind, mode, flag),
            namespace=namespace,
            hardware_address=hardware_address,
            mtu=mtu,
            up=False,
        )
        self._new_link(body, f"create {kind} {name} on {parent}")

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
        self.socket.request(_NEW_LINK, flags, body, purpose)

    def delete_link(self, name: str) -> bool:
        """Delete an interface; False if there is none."""
        body = _interface() + message.attribute_text(_IFLA_NAME, name)
        return self.unless_missing(_DELETE_LINK, body, f"delete interface {name}", errno.ENODEV)

    def set_up(self, name: str, *, up: bool = True) -> None:
        body = _interface(flags=_UP if up else 0, changed=_UP, index=self.index(name))
        self._change(name, body, "set state of")

    def set_bridge_port(
        self, name: str, *, hairpin: bool = False, learning: bool = True, isolated: bool = False
    ) -> None:
        """The ways of a bridge's port; `hairpin` lets a frame leave where it came in, no frame
        passes between two `isolated` ports."""
        options = message.nested(
            _IFLA_PROTINFO,
            message.attribute_u8(_PORT_HAIRPIN, hairpin),
            message.attribute_u8(_PORT_LEARNING, learning),
            message.attribute_u8(_PORT_ISOLATED, isolated),
        )
        body = _interface(index=self.index(name), family=_AF_BRIDGE) + options
        self._change(name, body, "set bridge port")

    def _change(self, name: str, body: bytes, purpose: str) -> None:
        self.socket.request(_SET_LINK, 0, body, f"{purpose} {name}")

    def unless_missing(self, kind: int, body: bytes, purpose: str, missing: int) -> bool:
        """Ask for a removal; False if the kernel says that it is `missing`."""
        try:
            self.socket.request(kind, 0, body, purpose)
        except NetlinkError as refusal:
            if refusal.errno == missing:
                return False
            raise
        return True


def _interface(
    *, flags: int = 0, changed: int = 0, index: int = 0, family: int = socket.AF_UNSPEC
) -> bytes:
    return struct.pack("=BxHiII", family, 0, index, flags, changed)


def child_link_body(
    name: str,
    *,
    kind: str,
    below: int = 0,
    options: tuple[bytes, ...] = (),
    namespace: int | None = None,
    hardware_address: str | None = None,
    mtu: int = 0,
    up: bool = True,
) -> bytes:
    """The request for an interface that stands on the one with the index `below`, 0 for none."""
    flags = _UP if up else 0
    body = _interface(flags=flags, changed=flags) + message.attribute_text(_IFLA_NAME, name)
    for kind_of_value, value in ((_IFLA_MTU, mtu), (_IFLA_LINK, below)):
        if value:
            body += message.attribute_u32(kind_of_value, value)
    if hardware_address is not None:
        body += message.attribute(_IFLA_ADDRESS, hardware_bytes(hardware_address))
    if namespace is not None:
        body += message.attribute_u32(_IFLA_NAMESPACE, namespace)
    return body + _link_info(kind, *options)


def _child_options(kind: str, mode: str, flag: str) -> tuple[bytes, ...]:
    if kind == "macvlan":
        return (message.attribute_u32(_MACVLAN_MODE, _MACVLAN_MODES[mode]),)
    return (
        message.attribute(_IPVLAN_MODE, struct.pack("=H", _IPVLAN_MODES[mode])),
        message.attribute(_IPVLAN_FLAGS, struct.pack("=H", _IPVLAN_FLAG_BITS[flag])),
    )


def _link_attributes(name: str, hardware_address: str | None, mtu: int) -> bytes:
    attributes = message.attribute_text(_IFLA_NAME, name) + message.attribute_u32(_IFLA_MTU, mtu)
    if hardware_address is not None:
        attributes += message.attribute(_IFLA_ADDRESS, hardware_bytes(hardware_address))
    return attributes


def _link_info(kind: str, *options: bytes) -> bytes:
    data = message.nested(_INFO_DATA, *options)
    return message.nested(_IFLA_LINKINFO, message.attribute_text(_INFO_KIND, kind), data)


def hardware_bytes(address: str) -> bytes:
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
