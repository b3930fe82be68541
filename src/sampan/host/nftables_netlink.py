"""The parts of nf_tables that must be quicker than libnftables: elements, and looking.

libnftables lists whole tables to look at one chain, and reads its cache anew after anybody's
change; with ten thousand services that is 60 to 300 ms. Straight netlink does both in tens of
microseconds (linux/netfilter/nf_tables.h, nfnetlink.h). What the rules say is not known here.
"""

import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Self

import msgspec

from sampan.host import netlink_message as message
from sampan.host.netlink_message import NetlinkError, NetlinkSocket

_NETFILTER = 12
_SUBSYSTEM = 10
_GET_CHAIN, _GET_RULE = 4, 7
_NEW_ELEMENT, _GET_ELEMENT, _DELETE_ELEMENT, _GET_GENERATION = 12, 13, 14, 16
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_FAMILIES = {"inet": 1, "ip": 2, "bridge": 7, "ip6": 10}
_GOTO = -4
_ELEMENTS_A_MESSAGE = 250


class Element(msgspec.Struct, frozen=True):
    """An element of a set (key alone), of a map (with data), or of a verdict map (`goto`)."""

    key: bytes
    data: bytes = b""
    goto: str = ""


class ElementChange(msgspec.Struct, frozen=True):
    """Elements to be added to one set or map, or deleted from it (keys alone matter)."""

    family: str
    table: str
    set_name: str
    elements: tuple[Element, ...]
    delete: bool = False


class Rule(msgspec.Struct, frozen=True):
    """One rule of a chain, as far as it can be told from others."""

    handle: int
    chain: str
    comment: str


class NftablesSocket:
    """nf_tables of the network namespace that the calling thread was in at the start.

    Methods raise NetlinkError (an OSError).
    """

    def __init__(self) -> None:
        self._socket = NetlinkSocket(_NETFILTER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def generation(self) -> int:
        """A number that grows by one with every transaction of anybody."""
        answers = self._socket.ask(
            _kind(_GET_GENERATION), 0, _header("ip"), "read the ruleset's generation"
        )
        (generation,) = struct.unpack(">I", message.parse_attributes(answers[0][4:])[1])
        return int(generation)

    def rules(self, family: str, table: str, chain: str | None = None) -> list[Rule]:
        """The rules of one table, or of one chain of it; none if it does not exist."""
        body = _header(family) + message.attribute_text(1, table)
        if chain is not None:
            body += message.attribute_text(2, chain)
        answers = self._socket.ask(_kind(_GET_RULE), message.DUMP, body, f"list {table}")
        return [_parse_rule(answer) for answer in answers]

    def policy(self, family: str, table: str, chain: str) -> str | None:
        """`accept` or `drop`, None if there is no such chain or it is no base chain."""
        body = _header(family) + message.attribute_text(1, table) + message.attribute_text(3, chain)
        try:
            answers = self._socket.ask(_kind(_GET_CHAIN), 0, body, f"find chain {chain}")
        except NetlinkError as refusal:
            if refusal.errno == errno.ENOENT:
                return None
            raise
        code = message.parse_attributes(answers[0][4:]).get(5)
        return None if code is None else ("accept" if code[-1] else "drop")

    def elements(self, family: str, table: str, set_name: str) -> list[Element]:
        """Everything that a set or map holds; NetlinkError (ENOENT) if it does not exist.

        While a hash table grows, the kernel's walk through it may miss some: it is read until
        two readings agree.
        """
        before = self._read_elements(family, table, set_name)
        while (now := self._read_elements(family, table, set_name)) != before:
            before = now
        return list(now.values())

    def _read_elements(self, family: str, table: str, set_name: str) -> dict[bytes, Element]:
        body = (
            _header(family) + message.attribute_text(1, table) + message.attribute_text(2, set_name)
        )
        purpose = f"list elements of {set_name}"
        answers = self._socket.ask(_kind(_GET_ELEMENT), message.DUMP, body, purpose)
        return {
            element.key: element
            for answer in answers
            for element in _parse_elements(message.parse_attributes(answer[4:]).get(3, b""))
        }

    def apply(self, changes: Iterable[ElementChange]) -> None:
        """Make all these changes in one transaction, in their order, or none of them."""
        messages = [_header_of_batch(_BATCH_BEGIN)]
        for change in changes:
            messages.extend(_element_messages(change))
        if len(messages) == 1:
            return
        kind, flags, body = messages[-1]
        messages[-1] = (kind, flags | message.ACKNOWLEDGE, body)
        messages.append(_header_of_batch(_BATCH_END))
        self._socket.batch(messages, len(messages) - 2, "change elements")


def _kind(operation: int) -> int:
    return _SUBSYSTEM << 8 | operation


def _header(family: str) -> bytes:
    return struct.pack(">BBH", _FAMILIES[family], 0, 0)


def _header_of_batch(kind: int) -> tuple[int, int, bytes]:
    return kind, 0, struct.pack(">BBH", socket.AF_UNSPEC, 0, _SUBSYSTEM)


def _element_messages(change: ElementChange) -> Iterator[tuple[int, int, bytes]]:
    operation = _DELETE_ELEMENT if change.delete else _NEW_ELEMENT
    head = (
        _header(change.family)
        + message.attribute_text(1, change.table)
        + message.attribute_text(2, change.set_name)
    )
    pending = iter(change.elements)
    while portion := tuple(islice(pending, _ELEMENTS_A_MESSAGE)):
        elements = b"".join(_element(element, change.delete) for element in portion)
        body = head + message.nested(3, elements)
        yield _kind(operation), 0 if change.delete else message.CREATE, body


def _element(element: Element, delete: bool) -> bytes:
    parts = message.nested(1, message.attribute(1, element.key))
    if element.goto and not delete:
        verdict = message.attribute(1, struct.pack(">i", _GOTO))
        verdict += message.attribute_text(2, element.goto)
        parts += message.nested(2, message.nested(2, verdict))
    elif element.data and not delete:
        parts += message.nested(2, message.attribute(1, element.data))
    return message.nested(1, parts)


def _parse_elements(listed: bytes) -> Iterator[Element]:
    for one in message.parse_list(listed):
        attributes = message.parse_attributes(one)
        key = message.parse_attributes(attributes[1])[1]
        data = message.parse_attributes(attributes.get(2, b""))
        verdict = message.parse_attributes(data.get(2, b""))
        goto = verdict.get(2, b"").rstrip(b"\0").decode()
        yield Element(key, data.get(1, b""), goto)


def _parse_rule(body: bytes) -> Rule:
    attributes = message.parse_attributes(body[4:])
    (handle,) = struct.unpack(">Q", attributes[3])
    chain = attributes[2].rstrip(b"\0").decode()
    return Rule(handle, chain, _comment(attributes.get(7, b"")))


def _comment(user_data: bytes) -> str:
    """The comment among a rule's user data: type, length, value (libnftnl's udata.h)."""
    offset = 0
    while offset + 2 <= len(user_data):
        kind, length = user_data[offset], user_data[offset + 1]
        if kind == 0:
            return user_data[offset + 2 : offset + 2 + length].rstrip(b"\0").decode()
        offset += 2 + length
    return ""
