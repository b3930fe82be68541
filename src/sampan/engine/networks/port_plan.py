"""Which of the machine's ports a container wants, out of its definition. Pure."""

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv6Address, ip_address

import msgspec

from sampan.engine.containers.configuration import PortBinding
from sampan.engine.contract import InvalidConfiguration
from sampan.network.bridges.contract import Address, PublishedProtocol
from sampan.network.bridges.reservations import WantedPort

LARGEST_PORT = 65535
_EVERYWHERE = {4: "0.0.0.0", 6: "::"}
Bindings = dict[str, tuple[PortBinding, ...] | None]


class PortWish(msgspec.Struct, frozen=True, kw_only=True):
    """A container's port and where on the machine it is to be: one port on these addresses.

    `opened_on` are 0.0.0.0 or ::, for the versions of IP by which others reach the container's
    own address.
    """

    port: int
    protocol: PublishedProtocol
    host_addresses: tuple[str, ...]
    first: int
    last: int
    opened_on: tuple[str, ...] = ()

    @property
    def exposed(self) -> str:
        return f"{self.port}/{self.protocol}"

    def wanted(self) -> WantedPort:
        return WantedPort(
            protocol=self.protocol,
            addresses=tuple(map(ip_address, self.host_addresses)),
            first=self.first,
            last=self.last,
        )


def port_wishes(
    exposed: Iterable[str],
    bindings: Mapping[str, tuple[PortBinding, ...] | None],
    *,
    publish_all: bool,
    default_addresses: tuple[Address, ...],
) -> list[PortWish]:
    """In the order of the container's ports; one that names no address is on all of the default
    ones. Raises InvalidConfiguration."""
    wishes = []
    for text in sorted({*exposed, *bindings}, key=_order):
        places = bindings.get(text) or ()
        if not places and (publish_all or text in bindings):
            places = (PortBinding(),)
        if publish_all or text in bindings:
            wishes += [_wish(text, place, default_addresses) for place in places]
    return wishes


def opened_where_routed(wish: PortWish, routed: Collection[int]) -> PortWish:
    """Of the versions of IP that are routed, no port of the machine is wanted."""
    addresses = [ip_address(text) for text in wish.host_addresses]
    opened = dict.fromkeys(each.version for each in addresses if each.version in routed)
    return msgspec.structs.replace(
        wish,
        host_addresses=tuple(str(each) for each in addresses if each.version not in routed),
        opened_on=tuple(_EVERYWHERE[version] for version in opened),
    )


def _order(text: str) -> tuple[int, str]:
    return parse_port(text)


def parse_port(text: str) -> tuple[int, PublishedProtocol]:
    """`80/tcp` or `80`. Raises InvalidConfiguration."""
    number, _, protocol = text.partition("/")
    port = _number(number, text)
    if port == 0:
        raise InvalidConfiguration(f"invalid port specification: {text!r}")
    match protocol.lower():
        case "" | "tcp":
            return port, "tcp"
        case "udp":
            return port, "udp"
        case "sctp":
            return port, "sctp"
    raise InvalidConfiguration(f"invalid port specification: {text!r}: unknown protocol")


def _number(text: str, whole: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > LARGEST_PORT:
        raise InvalidConfiguration(f"invalid port specification: {whole!r}")
    return int(text)


def _wish(text: str, place: PortBinding, default_addresses: tuple[Address, ...]) -> PortWish:
    port, protocol = parse_port(text)
    first_text, _, last_text = place.host_port.partition("-")
    first = _number(first_text, place.host_port) if place.host_port else 0
    last = _number(last_text, place.host_port) if last_text else first
    if last < first:
        raise InvalidConfiguration(f"invalid host port range {place.host_port!r}")
    return PortWish(
        port=port,
        protocol=protocol,
        host_addresses=_addresses(place.host_address, default_addresses),
        first=first,
        last=last,
    )


def _addresses(text: str, default: tuple[Address, ...]) -> tuple[str, ...]:
    if not text:
        return tuple(map(str, default))
    try:
        address = ip_address(text)
    except ValueError as error:
        raise InvalidConfiguration(f"invalid host address {text!r}: {error}") from error
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (str(mapped or address),)


def shown_ports(
    exposed: Iterable[str], wishes: Iterable[PortWish], host_ports: Iterable[int]
) -> Bindings:
    """What an inspection shows: every exposed port, with what came true of its bindings."""
    shown: Bindings = dict.fromkeys(_normal(text) for text in exposed)
    for wish, host_port in zip(wishes, host_ports, strict=True):
        bindings = (
            PortBinding(host_address=address, host_port=str(host_port))
            for address in wish.host_addresses
        )
        opened = (PortBinding(host_address=address) for address in wish.opened_on)
        shown[wish.exposed] = (*(shown.get(wish.exposed) or ()), *bindings, *opened)
    return shown


def _normal(text: str) -> str:
    port, protocol = parse_port(text)
    return f"{port}/{protocol}"
