"""IP addresses and networks (k8s.io/apiserver `pkg/cel/library/ip.go`, `cidr.go`)."""

from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_interface,
)
from typing import Any

from sampan.kubernetes.expressions.budget import traversal
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.types import BOOL, INT, STRING, abstract
from sampan.kubernetes.expressions.values import Abstract

LIBRARY = Library()
IP = abstract("net.IP")
CIDR = abstract("net.CIDR")
_LONGEST = 64


class Address(Abstract):
    """An IPv4 or IPv6 address."""

    __slots__ = ("address",)
    type_name = IP.name

    def __init__(self, address: IPv4Address | IPv6Address) -> None:
        self.address = address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self.address == other.address

    def __hash__(self) -> int:
        return hash(self.address)

    def __str__(self) -> str:
        return str(self.address)


class Network(Abstract):
    """An address within a network, as a prefix names both."""

    __slots__ = ("address", "length", "network")
    type_name = CIDR.name

    def __init__(
        self, address: IPv4Address | IPv6Address, network: IPv4Network | IPv6Network
    ) -> None:
        self.address = address
        self.network = network
        self.length = network.prefixlen

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return False
        return (self.address, self.length) == (other.address, other.length)

    def __hash__(self) -> int:
        return hash((self.address, self.length))

    def __str__(self) -> str:
        return f"{self.address}/{self.length}"


def _address(text: str) -> Address:
    """Raises EvaluationFailed; zones and IPv4 in IPv6 are refused, as upstream does."""
    shown = text[:_LONGEST]
    try:
        address = ip_address(text if len(text) <= _LONGEST else "")
    except ValueError as error:
        message = f'IP Address "{shown}" parse error during conversion from string: {error}'
        raise EvaluationFailed(message) from error
    if "%" in text:
        raise EvaluationFailed(f'IP address "{shown}" with zone value is not allowed')
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        message = f'IPv4-mapped IPv6 address "{shown}" is not allowed'
        raise EvaluationFailed(message)
    return Address(address)


def _network(text: str) -> Network:
    """Raises EvaluationFailed."""
    shown = text[:_LONGEST]
    _, slash, length = text[: _LONGEST + 1].partition("/")
    try:
        if not slash or not length.isdigit() or len(text) > _LONGEST or length != str(int(length)):
            raise ValueError("no prefix length")
        interface = ip_interface(text)
    except ValueError as error:
        message = f'network address parse error during conversion from string: "{shown}": {error}'
        raise EvaluationFailed(message) from error
    if "%" in text:
        raise EvaluationFailed(f'CIDR "{shown}" with zone value is not allowed')
    if isinstance(interface.ip, IPv6Address) and interface.ip.ipv4_mapped is not None:
        raise EvaluationFailed(f'IPv4-mapped IPv6 address "{shown}" is not allowed')
    return Network(interface.ip, interface.network)


def _accepted(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def run(text: str) -> bool:
        try:
            parse(text)
        except EvaluationFailed:
            return False
        return True

    return run


def _is_canonical(text: str) -> bool:
    return str(_address(text)) == text


def _is_global(address: Address) -> bool:
    """As Go's IsGlobalUnicast: private addresses are global, broadcast is not."""
    it = address.address
    return not (
        it.is_unspecified
        or it.is_loopback
        or it.is_multicast
        or it.is_link_local
        or str(it) == "255.255.255.255"
    )


def _is_local_multicast(address: Address) -> bool:
    it = address.address
    if isinstance(it, IPv4Address):
        return it in IPv4Network("224.0.0.0/24")
    return it.packed[0] == 0xFF and it.packed[1] & 0x0F == 0x02


def _contains_address(network: Network, address: Address) -> bool:
    return address.address in network.network


def _contains_network(network: Network, other: Network) -> bool:
    return (
        network.network.version == other.network.version
        and network.length <= other.length
        and other.network.network_address in network.network
    )


def _masked(network: Network) -> Network:
    return Network(network.network.network_address, network.network)


def _once(text: str) -> int:
    return max(1, traversal(text))


def _parsing(kind: Any, run: Callable[[str], Any], times: int = 1) -> Overload:
    return Overload(
        (STRING,),
        kind,
        run,
        cost=lambda text: times * _once(text),
        estimate=lambda size: times * -(-size // 10),
    )


LIBRARY.function("ip", _parsing(IP, _address))
LIBRARY.function("isIP", _parsing(BOOL, _accepted(_address)))
LIBRARY.function("ip.isCanonical", _parsing(BOOL, _is_canonical, 2))
LIBRARY.function("cidr", _parsing(CIDR, _network))
LIBRARY.function("isCIDR", _parsing(BOOL, _accepted(_network)))
LIBRARY.function(
    "string",
    Overload((IP,), STRING, str),
    Overload((CIDR,), STRING, str),
)
LIBRARY.method("family", Overload((IP,), INT, lambda it: it.address.version))
LIBRARY.method("isUnspecified", Overload((IP,), BOOL, lambda it: it.address.is_unspecified))
LIBRARY.method("isLoopback", Overload((IP,), BOOL, lambda it: it.address.is_loopback))
LIBRARY.method("isLinkLocalMulticast", Overload((IP,), BOOL, _is_local_multicast))
LIBRARY.method("isLinkLocalUnicast", Overload((IP,), BOOL, lambda it: it.address.is_link_local))
LIBRARY.method("isGlobalUnicast", Overload((IP,), BOOL, _is_global))
LIBRARY.method(
    "containsIP",
    Overload((CIDR, IP), BOOL, _contains_address),
    Overload((CIDR, STRING), BOOL, lambda one, text: _contains_address(one, _address(text))),
)
LIBRARY.method(
    "containsCIDR",
    Overload((CIDR, CIDR), BOOL, _contains_network),
    Overload((CIDR, STRING), BOOL, lambda one, text: _contains_network(one, _network(text))),
)
LIBRARY.method("ip", Overload((CIDR,), IP, lambda it: Address(it.address)))
LIBRARY.method("masked", Overload((CIDR,), CIDR, _masked))
LIBRARY.method("prefixLength", Overload((CIDR,), INT, lambda it: it.length))
