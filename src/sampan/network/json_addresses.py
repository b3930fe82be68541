"""Addresses and networks in JSON, which has no type for them: hooks for msgspec. Pure."""

from ipaddress import IPv4Address, IPv4Network

to_text = str


def from_text(kind: type, value: object) -> object:
    """The address or network that a text says; ValueError or TypeError if it says none."""
    if kind not in (IPv4Address, IPv4Network):
        raise NotImplementedError(kind)
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not the text of an address")
    return kind(value)
