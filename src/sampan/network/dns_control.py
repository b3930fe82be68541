"""What the agent and its DNS process say to one another over a socket pair.

Frames of a length (four bytes) and JSON: first the settings, then changes of names. Pure.
"""

import struct
from ipaddress import IPv4Address, IPv4Network

import msgspec

from sampan.network.contract import DnsRecords

LARGEST_FRAME = 64 << 20
LENGTH = struct.Struct(">I")


class DnsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whose names are answered, who may ask, and where others' names are asked for."""

    domain: str
    listen_address: IPv4Address
    pod_range: IPv4Network
    service_range: IPv4Network
    node_range: IPv4Network
    resolver_files: tuple[str, ...]


class NamesChange(msgspec.Struct, frozen=True):
    """As in `contract.NameServer.publish`."""

    changed: DnsRecords
    removed: tuple[str, ...] = ()


def encode_frame(value: DnsSettings | NamesChange) -> bytes:
    """One frame. Addresses as keys of objects are text for JSON, so they become it here."""
    body = msgspec.json.encode(value, enc_hook=str)
    return LENGTH.pack(len(body)) + body


def _from_text(kind: type, value: object) -> object:
    """msgspec's hook for what JSON has no type for."""
    if kind in (IPv4Address, IPv4Network) and isinstance(value, str):
        return kind(value)
    raise NotImplementedError(kind)


settings_decoder = msgspec.json.Decoder(DnsSettings, dec_hook=_from_text)
change_decoder = msgspec.json.Decoder(NamesChange, dec_hook=_from_text)
