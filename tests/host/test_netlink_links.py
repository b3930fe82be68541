"""Requests for interfaces that stand on others: the bytes that iproute2 would send for them."""

import struct

import pytest

from sampan.host import netlink_links
from sampan.host.netlink_links import child_link_body
from sampan.host.netlink_message import parse_attributes

_NAME, _MTU, _LINK, _INFO, _NAMESPACE, _ADDRESS = 3, 4, 5, 18, 28, 1
_KIND, _DATA = 1, 2


class _Recorded(netlink_links.LinkSocket):
    """Keeps what would be sent; every interface has the index 7."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def index(self, name: str) -> int:
        return 7

    def _new_link(self, body: bytes, purpose: str) -> None:
        self.bodies.append(body)


def _sent(socket: _Recorded) -> tuple[int, dict[int, bytes], bytes, dict[int, bytes]]:
    """Flags, attributes, the kind and its own attributes."""
    (body,) = socket.bodies
    attributes = parse_attributes(body[16:])
    info = parse_attributes(attributes[_INFO])
    flags = struct.unpack_from("=BxHiII", body)[3]
    return flags, attributes, info[_KIND].rstrip(b"\0"), parse_attributes(info.get(_DATA, b""))


@pytest.mark.parametrize(
    ("mode", "number"), [("private", 1), ("vepa", 2), ("bridge", 4), ("passthru", 8)]
)
def test_macvlan(mode: str, number: int) -> None:
    socket = _Recorded()
    socket.create_child(
        "eth0",
        parent="lan",
        kind="macvlan",
        mode=mode,
        namespace=9,
        hardware_address="02:42:00:00:00:01",
        mtu=1400,
    )
    flags, attributes, kind, options = _sent(socket)
    assert (flags, kind) == (0, b"macvlan")
    assert options == {1: struct.pack("=I", number)}
    assert attributes[_NAME] == b"eth0\0"
    assert attributes[_ADDRESS] == bytes.fromhex("024200000001")
    numbers = {name: struct.unpack("=I", attributes[name])[0] for name in (_LINK, _MTU, _NAMESPACE)}
    assert numbers == {_LINK: 7, _MTU: 1400, _NAMESPACE: 9}


@pytest.mark.parametrize(("mode", "number"), [("l2", 0), ("l3", 1), ("l3s", 2)])
def test_ipvlan(mode: str, number: int) -> None:
    socket = _Recorded()
    socket.create_child("eth0", parent="lan", kind="ipvlan", mode=mode, flag="vepa", namespace=9)
    _, attributes, kind, options = _sent(socket)
    assert kind == b"ipvlan"
    assert options == {1: struct.pack("=H", number), 2: struct.pack("=H", 2)}
    # Its parent's hardware address and MTU are its own.
    assert attributes.keys().isdisjoint((_ADDRESS, _MTU))


def test_a_vlan_and_what_leads_nowhere_are_up_at_once() -> None:
    socket = _Recorded()
    socket.create_vlan("lan.7", below="lan", tag=7)
    flags, attributes, kind, options = _sent(socket)
    assert (flags, kind, options) == (1, b"vlan", {1: struct.pack("=H", 7)})
    assert attributes[_LINK] == struct.pack("=I", 7)
    socket = _Recorded()
    socket.create_dummy("alone")
    flags, attributes, kind, options = _sent(socket)
    assert (flags, kind, options) == (1, b"dummy", {})
    assert _LINK not in attributes


def test_an_interface_of_nothing_has_no_parent() -> None:
    assert _LINK not in parse_attributes(child_link_body("a", kind="dummy")[16:])
