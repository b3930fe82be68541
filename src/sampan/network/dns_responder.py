"""From the bytes of a query to the bytes of its answer, quickly. No sockets.

A query differs from the one before mostly in its identifier. Whatever follows the identifier
is looked up as it is; only what was not asked since the last change of names is read.
"""

from typing import Protocol

import msgspec

from sampan.network import dns_messages as dns
from sampan.network.dns_messages import Answer, MalformedMessage, Query, Record

MOST_REMEMBERED = 20_000
_MOST_ROTATIONS = 8
_LARGEST_TCP = 65_535


class Forward(msgspec.Struct, frozen=True):
    """The query is about a name of the world's; somebody else must be asked."""

    query: Query


class KnownNames(Protocol):
    """What a responder answers from."""

    def look_up(self, name: str, kind: int) -> Answer | None:
        """What there is to say; None for a name that somebody else must be asked about."""


class Responder:
    """Answers queries out of a zone."""

    def __init__(self, zone: KnownNames) -> None:
        self._zone = zone
        self._remembered: dict[bytes, tuple[bytes, ...]] = {}
        self._turn = 0

    def forget(self) -> None:
        """The zone has changed."""
        self._remembered.clear()

    def respond(self, message: bytes) -> bytes | Forward | None:
        """The answer to a datagram; None if it deserves none."""
        tail = message[2:]
        remembered = self._remembered.get(tail)
        if remembered is None:
            return self._read_and_respond(message, tail)
        self._turn += 1
        return message[:2] + remembered[self._turn % len(remembered)]

    def respond_at_length(self, message: bytes) -> bytes | Forward | None:
        """The answer to a query over TCP, which need not be cut."""
        try:
            query = dns.read_query(message)
        except MalformedMessage:
            return dns.format_error(message)
        answer = self._answer(query)
        return Forward(query) if answer is None else dns.write_response(query, answer, _LARGEST_TCP)

    def _read_and_respond(self, message: bytes, tail: bytes) -> bytes | Forward | None:
        try:
            query = dns.read_query(message)
        except MalformedMessage:
            return dns.format_error(message)
        answer = self._answer(query)
        if answer is None:
            return Forward(query)
        responses = [
            dns.write_response(query, turned, query.payload_size) for turned in _rotations(answer)
        ]
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[tail] = tuple(response[2:] for response in responses)
        return responses[0]

    def _answer(self, query: Query) -> Answer | None:
        if query.operation:
            return Answer(code=dns.NOT_IMPLEMENTED, authoritative=False)
        if query.options_version:
            return Answer(code=dns.BAD_VERSION, authoritative=False)
        if query.record_class not in (dns.INTERNET, dns.ANY):
            return Answer(code=dns.REFUSED, authoritative=False)
        return self._zone.look_up(query.name, query.kind)


def _rotations(answer: Answer) -> list[Answer]:
    """The same answers, each time with another one first, as clients take the first."""
    records: tuple[Record, ...] = answer.answers
    count = min(len(records), _MOST_ROTATIONS)
    if count < 2:
        return [answer]
    step = len(records) / count
    starts = [int(step * number) for number in range(count)]
    return [
        msgspec.structs.replace(answer, answers=records[start:] + records[:start])
        for start in starts
    ]
