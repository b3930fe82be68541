"""What the agent and its DNS process say to one another over a socket pair.

Frames of a length (four bytes) and JSON: first the settings, then changes of names. Pure.
"""

import struct
from ipaddress import IPv4Address, IPv4Network

import msgspec

from sampan.network.contract import DnsRecords
from sampan.network.json_addresses import from_text, to_text

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
    """One frame."""
    body = msgspec.json.encode(value, enc_hook=to_text)
    return LENGTH.pack(len(body)) + body


settings_decoder = msgspec.json.Decoder(DnsSettings, dec_hook=from_text)
change_decoder = msgspec.json.Decoder(NamesChange, dec_hook=from_text)
