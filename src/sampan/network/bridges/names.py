"""The names of containers on the networks that they share. Pure; no wire, no upstream.

A container is known by its names on each network that it shares with whoever asks, alone and
with the network's name behind a dot. All other names are somebody else's.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address

from sampan.network import dns_messages as dns
from sampan.network.dns_messages import Answer, Record

TIME_TO_LIVE = 600
Address = IPv4Address | IPv6Address
_KINDS = {dns.A: (4,), dns.AAAA: (6,), dns.ANY: (4, 6)}


class NetworkNames:
    """Who is on one network; the first name of each is the one that its addresses have."""

    def __init__(self, network: str) -> None:
        self._network = network.lower()
        self._members: dict[str, tuple[tuple[str, ...], tuple[Address, ...]]] = {}
        self._addresses: dict[str, tuple[Address, ...]] = {}
        self._pointers: dict[str, str] = {}

    def set_member(self, owner: str, names: Iterable[str], addresses: Iterable[Address]) -> None:
        """Know a member by these names, in the place of what it had."""
        self._members[owner] = (tuple(name.lower() for name in names), tuple(addresses))
        self._index()

    def remove_member(self, owner: str) -> None:
        """No error if it is none."""
        if self._members.pop(owner, None) is not None:
            self._index()

    def has_members(self) -> bool:
        return bool(self._members)

    def _index(self) -> None:
        found: dict[str, list[Address]] = {}
        self._pointers = {}
        for names, addresses in self._members.values():
            for name in dict.fromkeys(names):
                found.setdefault(name, []).extend(addresses)
            for address in addresses:
                self._pointers[address.reverse_pointer] = f"{names[0]}.{self._network}"
        self._addresses = {name: tuple(addresses) for name, addresses in found.items()}

    def addresses(self, name: str) -> tuple[Address, ...]:
        """Those of a name in lower case, with or without the network's behind it."""
        plain = name.removesuffix(f".{self._network}")
        return self._addresses.get(name) or self._addresses.get(plain, ())

    def pointer(self, name: str) -> str | None:
        """The name of an address that is written as a reverse name."""
        return self._pointers.get(name)


class SharedNames:
    """What one container may ask for: the names on its networks, and those that it alone uses.

    `aliases` are names of its own for others, per network (`--link`). Networks may be added
    and taken away while it runs.
    """

    def __init__(self) -> None:
        self._networks: dict[str, tuple[NetworkNames, Mapping[str, str]]] = {}

    def join(self, key: str, network: NetworkNames, aliases: Mapping[str, str]) -> None:
        self._networks[key] = (network, {alias.lower(): name for alias, name in aliases.items()})

    def leave(self, key: str) -> None:
        self._networks.pop(key, None)

    def look_up(self, name: str, kind: int) -> Answer | None:
        """What there is to say about a name in lower case; None if it is none of ours."""
        for network, _ in self._networks.values():
            target = network.pointer(name)
            if target is not None:
                return _pointer_answer(target, kind)
        addresses = tuple(dict.fromkeys(self._addresses(name)))
        if not addresses:
            return None
        records = tuple(
            dns.address_record(address, TIME_TO_LIVE)
            for address in addresses
            if address.version in _KINDS.get(kind, ())
        )
        return Answer(answers=records, authoritative=False)

    def _addresses(self, name: str) -> Iterator[Address]:
        for network, aliases in self._networks.values():
            yield from network.addresses(aliases.get(name, name).lower())


def _pointer_answer(target: str, kind: int) -> Answer:
    records: tuple[Record, ...] = ()
    if kind in (dns.PTR, dns.ANY):
        records = (dns.pointer_record(target, TIME_TO_LIVE),)
    return Answer(answers=records, authoritative=False)
