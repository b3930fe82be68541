"""Which of the machine's ports a container wants, out of its definition. Pure."""

from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address

import msgspec

from sampan.engine.containers.configuration import PortBinding
from sampan.engine.contract import InvalidConfiguration, NotImplementedHere
from sampan.network.bridges.reservations import WantedPort
from sampan.network.contract import TransportProtocol

LARGEST_PORT = 65535
Bindings = dict[str, tuple[PortBinding, ...] | None]


class PortWish(msgspec.Struct, frozen=True, kw_only=True):
    """A container's port and where on the machine it is to be."""

    port: int
    protocol: TransportProtocol
    host_address: str
    first: int
    last: int

    @property
    def exposed(self) -> str:
        return f"{self.port}/{self.protocol}"

    def wanted(self) -> WantedPort:
        return WantedPort(
            protocol=self.protocol,
            address=IPv4Address(self.host_address),
            first=self.first,
            last=self.last,
        )


def port_wishes(
    exposed: Iterable[str],
    bindings: Mapping[str, tuple[PortBinding, ...] | None],
    *,
    publish_all: bool,
    default_address: IPv4Address,
) -> list[PortWish]:
    """In the order of the container's ports. Raises InvalidConfiguration, NotImplementedHere."""
    wishes = []
    for text in sorted({*exposed, *bindings}, key=_order):
        places = bindings.get(text) or ()
        if not places and (publish_all or text in bindings):
            places = (PortBinding(),)
        if publish_all or text in bindings:
            wishes += [_wish(text, place, default_address) for place in places]
    return wishes


def _order(text: str) -> tuple[int, str]:
    return parse_port(text)


def parse_port(text: str) -> tuple[int, TransportProtocol]:
    """`80/tcp` or `80`. Raises InvalidConfiguration, NotImplementedHere."""
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
            raise NotImplementedHere(f"port {text}: SCTP is not supported")
    raise InvalidConfiguration(f"invalid port specification: {text!r}: unknown protocol")


def _number(text: str, whole: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > LARGEST_PORT:
        raise InvalidConfiguration(f"invalid port specification: {whole!r}")
    return int(text)


def _wish(text: str, place: PortBinding, default_address: IPv4Address) -> PortWish:
    port, protocol = parse_port(text)
    first_text, _, last_text = place.host_port.partition("-")
    first = _number(first_text, place.host_port) if place.host_port else 0
    last = _number(last_text, place.host_port) if last_text else first
    if last < first:
        raise InvalidConfiguration(f"invalid host port range {place.host_port!r}")
    return PortWish(
        port=port,
        protocol=protocol,
        host_address=str(_address(place.host_address, default_address)),
        first=first,
        last=last,
    )


def _address(text: str, default: IPv4Address) -> IPv4Address:
    if not text:
        return default
    if ":" in text:
        raise NotImplementedHere(f"ports are published on IPv4 addresses only, not on {text}")
    try:
        return IPv4Address(text)
    except AddressValueError as error:
        raise InvalidConfiguration(f"invalid host address {text!r}: {error}") from error


def shown_ports(
    exposed: Iterable[str], wishes: Iterable[PortWish], host_ports: Iterable[int]
) -> Bindings:
    """What an inspection shows: every exposed port, with what came true of its bindings."""
    shown: Bindings = dict.fromkeys(_normal(text) for text in exposed)
    for wish, host_port in zip(wishes, host_ports, strict=True):
        binding = PortBinding(host_address=wish.host_address, host_port=str(host_port))
        shown[wish.exposed] = (*(shown.get(wish.exposed) or ()), binding)
    return shown


def _normal(text: str) -> str:
    port, protocol = parse_port(text)
    return f"{port}/{protocol}"
