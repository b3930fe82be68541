"""The elements that ports of bridges and published ports have in the packet tables. Pure."""

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address

from sampan.host.netlink_links import hardware_bytes
from sampan.host.nftables_netlink import Element, ElementChange
from sampan.network.bridges.contract import Port, PublishedPort, PublishedProtocol

_PROTOCOLS: dict[PublishedProtocol, int] = {"tcp": 6, "udp": 17, "sctp": 132}
_NAME_LENGTH = 16
_FAMILIES = {4: "ip", 6: "ip6"}
_SETS = ("stations", "addresses", "addresses6", "targets6")


def port_changes(
    table: str, ports: Iterable[Port], *, delete: bool = False
) -> Iterator[ElementChange]:
    """Let in, or no longer, what these ports send with their own addresses."""
    sets: dict[str, list[Element]] = {name: [] for name in _SETS}
    for port in ports:
        station = _station(port)
        sets["stations"].append(Element(station))
        if port.address is not None:
            sets["addresses"].append(Element(station + port.address.ip.packed))
        if port.address6 is not None:
            for address in (port.address6.ip, link_local_address(port.hardware_address)):
                sets["addresses6"].append(Element(station + address.packed))
                sets["targets6"].append(Element(station + address.packed))
    for name, elements in sets.items():
        if elements:
            yield ElementChange("bridge", table, name, tuple(elements), delete)


def _station(port: Port) -> bytes:
    """Each part of a key fills a multiple of four bytes."""
    name = port.device.encode().ljust(_NAME_LENGTH, b"\0")
    return name + hardware_bytes(port.hardware_address) + b"\0\0"


def link_local_address(hardware_address: str) -> IPv6Address:
    """The address that an interface gives itself (RFC 4291, appendix A)."""
    octets = bytearray(hardware_bytes(hardware_address))
    octets[0] ^= 0x02
    return IPv6Address(b"\xfe\x80" + bytes(6) + octets[:3] + b"\xff\xfe" + octets[3:])


def publication_changes(
    table: str, published: Iterable[PublishedPort], *, delete: bool = False
) -> Iterator[ElementChange]:
    """Lead these ports of the machine to where they go, or no longer; those that no rule can
    lead there are left out."""
    maps: dict[tuple[str, str], list[Element]] = {}
    for port in published:
        place = _place(port)
        if place is not None:
            family, name, element = place
            maps.setdefault((family, name), []).append(element)
    for (family, name), elements in maps.items():
        yield ElementChange(family, table, name, tuple(elements), delete)


def _place(port: PublishedPort) -> tuple[str, str, Element] | None:
    """The family, the map or set, and the element there."""
    if port.is_opened:
        behind = port.address.packed + _port_key(port.protocol, port.port)
        return "inet", f"opened{port.address.version}", Element(behind)
    if not port.is_translated:
        return None
    family = _FAMILIES[port.host_address.version]
    key = _port_key(port.protocol, port.host_port)
    data = port.address.packed + struct.pack(">Hxx", port.port)
    if port.host_address.is_unspecified:
        return family, "published_everywhere", Element(key, data)
    return family, "published", Element(port.host_address.packed + key, data)


def _port_key(protocol: PublishedProtocol, port: int) -> bytes:
    return struct.pack(">BxxxHxx", _PROTOCOLS[protocol], port)
