"""The other side of DNS for the tests: asks, and reads answers with compressed names."""

import struct
from typing import NamedTuple

from sampan.network import dns_messages as dns


def query(name: str, kind: int, *, identifier: int = 7, payload_size: int = 0) -> bytes:
    """A query with recursion desired, and EDNS if a payload size is given."""
    header = struct.pack(">HHHHHH", identifier, 0x0100, 1, 0, 0, 1 if payload_size else 0)
    labels = [label.encode() for label in name.split(".")]
    encoded = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    options = b"\0" + struct.pack(">HHIH", dns.OPT, payload_size, 0, 0) if payload_size else b""
    return header + encoded + struct.pack(">HH", kind, dns.INTERNET) + options


class ReadRecord(NamedTuple):
    owner: str
    kind: int
    time_to_live: int
    data: bytes


class Response(NamedTuple):
    identifier: int
    flags: int
    answers: list[ReadRecord]
    authority: list[ReadRecord]
    additional: list[ReadRecord]

    @property
    def code(self) -> int:
        return self.flags & 0xF

    @property
    def truncated(self) -> bool:
        return bool(self.flags & 0x0200)

    @property
    def authoritative(self) -> bool:
        return bool(self.flags & 0x0400)


def read_response(message: bytes) -> Response:
    identifier, flags, questions, *counts = struct.unpack_from(">HHHHHH", message)
    offset = 12
    for _ in range(questions):
        _, offset = read_name(message, offset)
        offset += 4
    sections = []
    for count in counts:
        section = []
        for _ in range(count):
            owner, offset = read_name(message, offset)
            kind, _, lifetime, length = struct.unpack_from(">HHIH", message, offset)
            offset += 10
            section.append(ReadRecord(owner, kind, lifetime, message[offset : offset + length]))
            offset += length
        sections.append(section)
    assert offset == len(message)
    return Response(identifier, flags, *sections)


def read_name(message: bytes, offset: int) -> tuple[str, int]:
    labels = []
    while length := message[offset]:
        if length >= 0xC0:
            (pointer,) = struct.unpack_from(">H", message, offset)
            rest, _ = read_name(message, pointer & 0x3FFF)
            return ".".join([*labels, rest]), offset + 2
        labels.append(message[offset + 1 : offset + 1 + length].decode())
        offset += 1 + length
    return ".".join(labels), offset + 1
