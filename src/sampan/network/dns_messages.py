"""DNS messages: reading queries, writing answers (RFC 1035, EDNS by RFC 6891). Pure.

Only what a server of A, AAAA, SRV, PTR, TXT and SOA records needs. Nothing a sender can put into a
message makes reading it raise anything but MalformedMessage.
"""

import struct
from ipaddress import IPv4Address, IPv6Address

import msgspec

A, PTR, SOA, TXT, AAAA, SRV, OPT, ANY = 1, 12, 6, 16, 28, 33, 41, 255
INTERNET = 1
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR, NOT_IMPLEMENTED, REFUSED = range(6)
BAD_VERSION = 16

LARGEST_UDP = 1232
SMALLEST_UDP = 512
_LARGEST_NAME = 255
_LARGEST_LABEL = 63
_RESPONSE, _AUTHORITATIVE, _TRUNCATED = 0x8000, 0x0400, 0x0200
_RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x0100, 0x0080
_HEADER = struct.Struct(">HHHHHH")
_QUESTION_POINTER = b"\xc0\x0c"


class MalformedMessage(ValueError):
    """These bytes are no DNS query."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A question: `name` in lower case without the dot at the end, `question` as it was sent."""

    identifier: int
    flags: int
    name: str
    kind: int
    record_class: int
    question: bytes
    payload_size: int = SMALLEST_UDP
    has_options: bool = False
    options_version: int = 0

    @property
    def operation(self) -> int:
        return self.flags >> 11 & 0xF


class Record(msgspec.Struct, frozen=True):
    """A record to be answered; no owner means the name that was asked for."""

    kind: int
    time_to_live: int
    data: bytes
    owner: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say to a question."""

    code: int = NO_ERROR
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    authoritative: bool = True


def encode_name(name: str) -> bytes:
    """A name in lower-case ASCII on the wire; ValueError when a part of it is too long."""
    if not name:
        return b"\0"
    parts = []
    for label in name.encode("ascii").split(b"."):
        if not 0 < len(label) <= _LARGEST_LABEL:
            raise ValueError(f"{name!r} is not a domain name")
        parts.append(bytes((len(label),)) + label)
    encoded = b"".join(parts) + b"\0"
    if len(encoded) > _LARGEST_NAME:
        raise ValueError(f"{name!r} is too long a domain name")
    return encoded


def _read_name(message: bytes, offset: int) -> tuple[str, int]:
    """The name at `offset`, which in a question is never compressed, and what follows it."""
    labels = []
    start = offset
    while True:
        if offset >= len(message) or offset - start > _LARGEST_NAME:
            raise MalformedMessage("the name does not end")
        length = message[offset]
        offset += 1
        if length == 0:
            break
        if length > _LARGEST_LABEL or offset + length > len(message):
            raise MalformedMessage("a label is malformed")
        labels.append(message[offset : offset + length])
        offset += length
    return b".".join(labels).lower().decode("latin-1"), offset


def read_query(message: bytes) -> Query:
    """A query with one question; MalformedMessage for everything else.

    Responses are malformed queries too, so that two servers can't keep each other busy.
    """
    if len(message) < 12:
        raise MalformedMessage("the message is shorter than its header")
    identifier, flags, questions, answers, authorities, additional = _HEADER.unpack_from(message)
    if flags & _RESPONSE:
        raise MalformedMessage("this is a response")
    if questions != 1 or answers or authorities or additional > 2:
        raise MalformedMessage("a query has one question")
    name, offset = _read_name(message, 12)
    if offset + 4 > len(message):
        raise MalformedMessage("the question does not end")
    kind, record_class = struct.unpack_from(">HH", message, offset)
    question = message[12 : offset + 4]
    size, has_options, version = _read_options(message, offset + 4, additional)
    return Query(
        identifier=identifier,
        flags=flags,
        name=name,
        kind=kind,
        record_class=record_class,
        question=question,
        payload_size=size,
        has_options=has_options,
        options_version=version,
    )


def _read_options(message: bytes, offset: int, count: int) -> tuple[int, bool, int]:
    """The largest answer wanted, whether there is an OPT record, and its version."""
    for _ in range(count):
        _, offset = _read_name(message, offset)
        if offset + 10 > len(message):
            raise MalformedMessage("a record does not end")
        kind, size, lifetime, length = struct.unpack_from(">HHIH", message, offset)
        offset += 10 + length
        if offset > len(message):
            raise MalformedMessage("a record does not end")
        if kind == OPT:
            return max(SMALLEST_UDP, min(size, LARGEST_UDP)), True, lifetime >> 16 & 0xFF
    return SMALLEST_UDP, False, 0


def write_response(query: Query, answer: Answer, limit: int) -> bytes:
    """The response to a query; what is longer than `limit` says only that it was truncated."""
    full = _write(query, answer)
    if len(full) <= limit:
        return full
    without_extras = msgspec.structs.replace(answer, additional=())
    if len(shorter := _write(query, without_extras)) <= limit:
        return shorter
    return _write(query, Answer(code=answer.code, authoritative=answer.authoritative), _TRUNCATED)


def _write(query: Query, answer: Answer, extra_flags: int = 0) -> bytes:
    flags = _RESPONSE | _RECURSION_AVAILABLE | extra_flags | answer.code & 0xF
    flags |= query.flags & (0x7800 | _RECURSION_DESIRED)
    if answer.authoritative:
        flags |= _AUTHORITATIVE
    additional = [_record(record) for record in answer.additional]
    if query.has_options:
        lifetime = answer.code >> 4 << 24
        additional.append(b"\0" + struct.pack(">HHIH", OPT, LARGEST_UDP, lifetime, 0))
    header = _HEADER.pack(
        query.identifier,
        flags,
        1 if query.question else 0,
        len(answer.answers),
        len(answer.authority),
        len(additional),
    )
    records = [_record(record) for record in (*answer.answers, *answer.authority)]
    return b"".join((header, query.question, *records, *additional))


def _record(record: Record) -> bytes:
    owner = encode_name(record.owner) if record.owner else _QUESTION_POINTER
    fixed = struct.pack(">HHIH", record.kind, INTERNET, record.time_to_live, len(record.data))
    return owner + fixed + record.data


def format_error(message: bytes) -> bytes | None:
    """What to say to a malformed query; None if it is no query at all or not readable so far."""
    if len(message) < 12:
        return None
    identifier, flags = struct.unpack_from(">HH", message)
    if flags & _RESPONSE:
        return None
    said = _RESPONSE | flags & (0x7800 | _RECURSION_DESIRED) | FORMAT_ERROR
    return _HEADER.pack(identifier, said, 0, 0, 0, 0)


def address_record(
    address: IPv4Address | IPv6Address, time_to_live: int, owner: str = ""
) -> Record:
    """A, or AAAA (RFC 3596)."""
    return Record(A if address.version == 4 else AAAA, time_to_live, address.packed, owner)


def service_record(port: int, target: str, time_to_live: int) -> Record:
    """SRV (RFC 2782), all of one priority and weight."""
    return Record(SRV, time_to_live, struct.pack(">HHH", 0, 100, port) + encode_name(target))


def pointer_record(target: str, time_to_live: int) -> Record:
    return Record(PTR, time_to_live, encode_name(target))


def text_record(text: str, time_to_live: int) -> Record:
    encoded = text.encode()
    return Record(TXT, time_to_live, bytes((len(encoded),)) + encoded)


def authority_record(zone: str, serial: int, time_to_live: int) -> Record:
    """SOA, which tells resolvers for how long a name's absence may be remembered (RFC 2308)."""
    names = encode_name(f"ns.dns.{zone}") + encode_name(f"hostmaster.{zone}")
    numbers = struct.pack(">IIIII", serial, 7200, 1800, 86400, time_to_live)
    return Record(SOA, time_to_live, names + numbers, zone)
