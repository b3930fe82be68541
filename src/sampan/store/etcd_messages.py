"""The messages of etcd's API that the store uses, as bytes in protobuf's encoding.

etcd's protocol needs a dozen messages of integers and bytes, too few for generated code and its
library. Numbers of fields are those of etcd's
`rpc.proto` and `kv.proto`, which no version 3 may change. Unknown fields are passed over.
Pure; it knows no connection.
"""

from collections.abc import Iterator

import msgspec

from sampan.foundation.wire import protobuf
from sampan.foundation.wire.protobuf_fields import data as octets
from sampan.foundation.wire.protobuf_fields import integer, message
from sampan.store.contract import Damaged

_MOD_REVISION = 2


class InvalidMessage(Damaged):
    """The peer's bytes are no message of protobuf."""


class KeyValue(msgspec.Struct, frozen=True):
    """`mvccpb.KeyValue`."""

    key: bytes = b""
    value: bytes = b""
    created: int = 0
    revision: int = 0


class Event(msgspec.Struct, frozen=True):
    """`mvccpb.Event`: `current` has no value when it tells a deletion."""

    is_deletion: bool
    current: KeyValue
    previous: KeyValue | None


class RangeAnswer(msgspec.Struct, frozen=True):
    """`RangeResponse`: `revision` is that of the whole cluster when it was read."""

    revision: int
    found: tuple[KeyValue, ...]
    more: bool


class TransactionAnswer(msgspec.Struct, frozen=True):
    """`TxnResponse` of one comparison and one write; `current` is what a failed one found."""

    revision: int
    succeeded: bool
    deleted: int
    current: KeyValue | None


class WatchAnswer(msgspec.Struct, frozen=True):
    """`WatchResponse`: `more` tells that the same events go on in the next one."""

    revision: int
    created: bool
    ended: bool
    compacted: int
    reason: str
    more: bool
    events: tuple[Event, ...]


def range_request(
    key: bytes, end: bytes = b"", *, limit: int = 0, revision: int = 0, keys_only: bool = False
) -> bytes:
    """Of the keys from `key` to before `end`; of `key` alone without an end."""
    return (
        octets(1, key)
        + octets(2, end)
        + integer(3, limit)
        + integer(4, revision)
        + integer(8, keys_only)
    )


def put_request(key: bytes, value: bytes, expected: int | None) -> bytes:
    """A transaction that writes a key if its revision is `expected`, and tells it otherwise."""
    return _transaction(key, expected, message(2, octets(1, key) + octets(2, value)))


def delete_request(key: bytes, expected: int | None) -> bytes:
    """A transaction that deletes a key if its revision is `expected`, or tells it."""
    return _transaction(key, expected, message(3, octets(1, key)))


def compaction_request(revision: int) -> bytes:
    return integer(1, revision)


def watch_request(key: bytes, end: bytes, start: int) -> bytes:
    """All changes from the revision `start` on, with what they replaced."""
    creation = (
        octets(1, key)
        + octets(2, end)
        + integer(3, start)
        + integer(4, True)  # tell now and then how far it is
        + integer(6, True)  # with the previous entry
        + integer(8, True)  # in pieces when it is much
    )
    return message(1, creation)


def range_answer(data: bytes) -> RangeAnswer:
    """Raises InvalidMessage."""
    revision, more = 0, False
    found: list[KeyValue] = []
    for number, value in _fields(data):
        if number == 1:
            revision = _header_revision(_as_bytes(value))
        elif number == 2:
            found.append(_key_value(_as_bytes(value)))
        elif number == 3:
            more = bool(value)
    return RangeAnswer(revision, tuple(found), more)


def transaction_answer(data: bytes) -> TransactionAnswer:
    """Raises InvalidMessage."""
    revision, succeeded, deleted = 0, False, 0
    current: KeyValue | None = None
    for number, value in _fields(data):
        if number == 1:
            revision = _header_revision(_as_bytes(value))
        elif number == 2:
            succeeded = bool(value)
        elif number == 3:
            for kind, inner in _fields(_as_bytes(value)):
                if kind == 1:
                    current = next(iter(range_answer(_as_bytes(inner)).found), None)
                elif kind == 3:
                    deleted = _first_integer(_as_bytes(inner), 2)
    return TransactionAnswer(revision, succeeded, deleted, current)


def watch_answer(data: bytes) -> WatchAnswer:
    """Raises InvalidMessage."""
    integers = dict.fromkeys((3, 4, 5, 7), 0)
    revision, reason = 0, b""
    events: list[Event] = []
    for number, value in _fields(data):
        if number == 1:
            revision = _header_revision(_as_bytes(value))
        elif number in integers:
            integers[number] = _as_integer(value)
        elif number == 6:
            reason = _as_bytes(value)
        elif number == 11:
            events.append(_event(_as_bytes(value)))
    return WatchAnswer(
        revision=revision,
        created=bool(integers[3]),
        ended=bool(integers[4]),
        compacted=integers[5],
        reason=reason.decode(errors="replace"),
        more=bool(integers[7]),
        events=tuple(events),
    )


def _transaction(key: bytes, expected: int | None, operation: bytes) -> bytes:
    if expected is None:
        return message(2, operation)
    comparison = integer(2, _MOD_REVISION) + octets(3, key) + integer(6, expected)
    otherwise = message(1, range_request(key))
    return message(1, comparison) + message(2, operation) + message(3, otherwise)


def _event(data: bytes) -> Event:
    is_deletion, current = False, KeyValue()
    previous: KeyValue | None = None
    for number, value in _fields(data):
        if number == 1:
            is_deletion = value == 1
        elif number == 2:
            current = _key_value(_as_bytes(value))
        elif number == 3:
            previous = _key_value(_as_bytes(value))
    return Event(is_deletion, current, previous)


def _key_value(data: bytes) -> KeyValue:
    key = value = b""
    created = revision = 0
    for number, content in _fields(data):
        if number == 1:
            key = _as_bytes(content)
        elif number == 2:
            created = _as_integer(content)
        elif number == 3:
            revision = _as_integer(content)
        elif number == 5:
            value = _as_bytes(content)
    return KeyValue(key, value, created, revision)


def _header_revision(data: bytes) -> int:
    return _first_integer(data, 3)


def _first_integer(data: bytes, wanted: int) -> int:
    return next((_as_integer(value) for number, value in _fields(data) if number == wanted), 0)


def _fields(data: bytes) -> Iterator[tuple[int, protobuf.RawValue]]:
    """Each field's number and content. Raises InvalidMessage."""
    try:
        yield from protobuf.read_fields(data)
    except protobuf.InvalidProtobuf as error:
        raise InvalidMessage(str(error)) from error


def _as_bytes(value: protobuf.RawValue) -> bytes:
    if isinstance(value, int):
        raise InvalidMessage("a number where bytes belong")
    return value


def _as_integer(value: protobuf.RawValue) -> int:
    if not isinstance(value, int):
        raise InvalidMessage("bytes where a number belongs")
    return value
