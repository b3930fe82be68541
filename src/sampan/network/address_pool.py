"""Which of a pod subnet's addresses is given out next. Pure state, no kernel, no files."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

SMALLEST_PREFIX = 20
_FIRST_POD = 2


class AddressesExhausted(Exception):
    """Every address of the subnet is in use."""


class AddressPool:
    """Hands out addresses in turn, so that a freed one is not used again at once.

    The network address (the overlay's), the gateway's and the broadcast address are never
    given to pods.
    """

    def __init__(
        self, subnet: IPv4Network, used: Iterable[IPv4Address] = (), last: IPv4Address | None = None
    ) -> None:
        if subnet.prefixlen < SMALLEST_PREFIX:
            raise ValueError(f"pod subnet {subnet} is larger than a /{SMALLEST_PREFIX}")
        self._subnet = subnet
        self._used = set(used)
        self._count = subnet.num_addresses - _FIRST_POD - 1
        self._next = 0 if last is None or last not in subnet else self._position(last) + 1

    def _position(self, address: IPv4Address) -> int:
        return int(address) - int(self._subnet[_FIRST_POD])

    def take(self) -> IPv4Address:
        """The next free address; AddressesExhausted when there is none."""
        for step in range(self._count):
            address = self._subnet[_FIRST_POD + (self._next + step) % self._count]
            if address not in self._used:
                self._used.add(address)
                self._next = self._position(address) + 1
                return address
        raise AddressesExhausted(f"all {self._count} addresses of {self._subnet} are in use")

    def give_back(self, address: IPv4Address) -> None:
        """Free an address; no error if it was not given out."""
        self._used.discard(address)
