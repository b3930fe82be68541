"""Which subnet a network gets, and which address a container gets on it. Pure.

Subnets that nobody chose come out of the instance's own range, or, where the machine has routes
to that already, out of others; a chosen one may not overlap with another network's.
"""

from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    NetmaskValueError,
    ip_address,
    ip_network,
)
from itertools import islice

from sampan.engine.contract import EngineError, Forbidden, InvalidConfiguration
from sampan.engine.networks.contract import AddressPool

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network

# The default bridge takes the first of the range's twenty-bit subnets, networks the rest of it.
_DEFAULT_PREFIX, _NETWORK_PREFIX = 20, 24
_FALLBACKS = tuple(IPv4Network((f"172.{octet}.0.0", 16)) for octet in range(31, 17, -1))
_MOST_TRIED = 1 << 16
OVERLAP = "Pool overlaps with other one on this address space"


def default_subnet(own: IPv4Network, taken: Collection[IPv4Network]) -> IPv4Network:
    """That of the default bridge (EngineError if none is free)."""
    wide = (
        subnet
        for place in (own, *_FALLBACKS)
        for subnet in place.subnets(new_prefix=_DEFAULT_PREFIX)
    )
    return _first_free(wide, taken)


def free_subnet(own: IPv4Network, taken: Collection[IPv4Network]) -> IPv4Network:
    """One for a network of which nobody said its subnet (EngineError if none is free)."""
    ours = list(own.subnets(new_prefix=_NETWORK_PREFIX))
    reserved = 1 << (_NETWORK_PREFIX - _DEFAULT_PREFIX)
    candidates = [*ours[reserved:]]
    for place in _FALLBACKS:
        candidates += place.subnets(new_prefix=_NETWORK_PREFIX)
    return _first_free(candidates, taken)


def _first_free(candidates: Iterable[IPv4Network], taken: Collection[IPv4Network]) -> IPv4Network:
    for candidate in candidates:
        if not any(candidate.overlaps(other) for other in taken):
            return candidate
    raise EngineError("all predefined address pools have been fully subnetted")


def unique_local_subnet(identifier: str) -> IPv6Network:
    """A subnet of IPv6 that nobody else has (RFC 4193), out of a network's identifier."""
    digest = sha256(identifier.encode()).digest()
    return IPv6Network((b"\xfd" + digest[:7] + bytes(8), 64))


def completed_pool(pool: AddressPool) -> AddressPool:
    """A chosen subnet with its gateway. Raises InvalidConfiguration."""
    subnet = parse_subnet(pool.subnet, "subnet")
    if subnet.num_addresses < 4:  # its own, the gateway's, one container's, the last
        raise InvalidConfiguration(f"invalid subnet {pool.subnet}: too small for a container")
    if pool.ip_range:
        part = parse_subnet(pool.ip_range, "ip-range")
        if not _within(part, subnet):
            raise InvalidConfiguration(
                f"invalid ip-range {pool.ip_range}: it is not within the subnet {subnet}"
            )
    for name, text in (pool.auxiliary_addresses or {}).items():
        _address_within(text, subnet, f"auxiliary address {name}")
    gateway: Address = subnet[1]
    if pool.gateway:
        gateway = _address_within(pool.gateway.partition("/")[0], subnet, "gateway")
    return AddressPool(
        subnet=str(subnet),
        ip_range=pool.ip_range,
        gateway=str(gateway),
        auxiliary_addresses=pool.auxiliary_addresses,
    )


def parse_subnet(text: str, what: str) -> Subnet:
    """A subnet in CIDR notation; host bits are cut off, as Docker does. InvalidConfiguration."""
    try:
        if "/" not in text:
            raise ValueError("there is no prefix length")
        return ip_network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise InvalidConfiguration(
            f"invalid {what} {text!r}: invalid CIDR block notation ({error})"
        ) from error


def _within(part: Subnet, whole: Subnet) -> bool:
    if isinstance(part, IPv4Network) and isinstance(whole, IPv4Network):
        return part.subnet_of(whole)
    if isinstance(part, IPv6Network) and isinstance(whole, IPv6Network):
        return part.subnet_of(whole)
    return False


def _address_within(text: str, subnet: Subnet, what: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError as error:
        raise InvalidConfiguration(f"invalid {what} {text!r}: {error}") from error
    if address not in subnet:
        raise InvalidConfiguration(f"invalid {what} {text}: parent subnet is {subnet}")
    return address


def next_address(pool: AddressPool, used: Collection[Address], network: str) -> Address:
    """The lowest free address of a pool (EngineError when there is none)."""
    subnet = parse_subnet(pool.subnet, "subnet")
    place = parse_subnet(pool.ip_range, "ip-range") if pool.ip_range else subnet
    never = {subnet[0], subnet[-1], ip_address(pool.gateway)}
    never |= {ip_address(text) for text in (pool.auxiliary_addresses or {}).values()}
    for address in islice(_addresses(place), _MOST_TRIED):
        if address not in never and address not in used:
            return address
    raise EngineError(f"no available addresses on this network's address pools: {network}")


def _addresses(place: Subnet) -> Iterator[Address]:
    for offset in range(min(place.num_addresses, _MOST_TRIED)):
        yield place[offset]


def chosen_address(
    text: str, pool: AddressPool | None, used: Collection[Address], *, chosen_subnet: bool
) -> Address:
    """An address that a person asks for. Raises InvalidConfiguration, Forbidden."""
    try:
        address = ip_address(text)
    except ValueError as error:
        raise InvalidConfiguration(f"invalid IP address: {text}") from error
    if not chosen_subnet:
        raise InvalidConfiguration(
            "user specified IP address is supported only when connecting to networks with "
            "user configured subnets"
        )
    if pool is None or address not in parse_subnet(pool.subnet, "subnet"):
        raise InvalidConfiguration(
            f"Invalid address {text}: It does not belong to any of this network's subnets"
        )
    if address in used or text == pool.gateway:
        raise Forbidden("Address already in use")
    return address
