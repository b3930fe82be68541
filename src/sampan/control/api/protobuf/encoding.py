"""Objects in `application/vnd.kubernetes.protobuf`, made from the trees that JSON gives.

Theory: a writer is made for each message when it is first met. It holds the message's bytes with
nothing set (Go writes fields that are no pointers even when they are zero), one piece a field,
and a table from JSON names to pieces; a tree replaces the pieces of what it has. So the fields
stand in the order of their numbers, maps in the order of their keys, and equal trees give equal
bytes. Names that no field has are passed over, as Go does. What a field's JSON came to is
remembered where it was left undecoded (`Undecoded`), for many objects come from one template.
"""

import base64
import struct
from collections.abc import Callable
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from sampan.control.api.protobuf import envelope
from sampan.control.api.protobuf.messages import Field, fields_of, message_name
from sampan.control.api.protobuf.well_known_reading import ALTERNATIVES, LISTS
from sampan.control.api.protobuf.well_known_writing import UNSET, WRITERS, alternative
from sampan.foundation.wire.protobuf import (
    BYTES,
    FIXED64,
    VARINT,
    key,
    sized,
    varint,
)
from sampan.kubernetes.kinds.kind import Object

Write = Callable[[Any], bytes]
"""From a JSON value to bytes: of a message without key and length, or of a whole field."""

_ZEROS = dict.fromkeys(("bool", "int32", "int64", "uint32", "uint64"), (VARINT, b"\x00")) | {
    "string": (BYTES, b"\x00"),
    "bytes": (BYTES, b"\x00"),
    "double": (FIXED64, bytes(8)),
}
_by_key = itemgetter(0)
_SHORT = 128
_REMEMBERED = 1024
_LARGEST = 4096
_decode = msgspec.json.Decoder().decode


def encode(tree: Object) -> bytes:
    """An object with its envelope. Raises UnknownMessage for a kind that has no message."""
    version, kind = tree["apiVersion"], tree["kind"]
    return envelope.wrapped(version, kind, message_writer(message_name(version, kind))(tree))


@cache
def message_writer(name: str) -> Write:
    """What writes a message. Raises UnknownMessage."""
    return _message_writer(name, None)


@cache
def item_writer(name: str) -> Write:
    """What writes an object as one of the `items` of a list, the second field of every list."""
    return _message_writer(name, key(2, BYTES))


def _message_writer(name: str, field_key: bytes | None) -> Write:
    """With a key, the message is written as a field with that key."""
    short = name.rpartition(".")[2]
    if (well_known := WRITERS.get(name)) is not None:
        return well_known if field_key is None else _keyed(field_key, well_known)
    write = _plain_writer(fields_of(name), field_key)
    if short in LISTS:
        return lambda value: write({"items": value})
    if short in ALTERNATIVES:
        return lambda value: write(alternative(short, value))
    return write


def _keyed(field_key: bytes, message: Write) -> Write:
    return lambda value: sized(field_key, message(value))


class _Places(msgspec.Struct, gc=False):
    """Where a message's fields go: by JSON name a position, and what writes the field there; a
    text, the most frequent of all, has its prefixes instead. `inlined` take the whole tree."""

    by_name: dict[str, tuple[int, Write | None, tuple[bytes, ...]]]
    blank: list[bytes]
    inlined: list[tuple[int, Write]]


def _places(fields: tuple[Field, ...]) -> _Places:
    made = _Places({}, [_unset(field) for field in fields], [])
    for position, field in enumerate(fields):
        if field.label == "!":
            made.inlined.append((position, _field_writer(field)))
        elif field.type == "string" and not field.label:
            made.by_name[field.name] = (position, None, _prefixes(key(field.number, BYTES)))
        else:
            made.by_name[field.name] = (position, _field_writer(field), ())
    return made


def _plain_writer(fields: tuple[Field, ...], field_key: bytes | None) -> Write:
    """The places are made at first use, for messages can be nested in themselves.

    What stands before texts and messages is looked up in place: a call for each would take a
    third of the time.
    """
    places: _Places | None = None
    prefixes = None if field_key is None else _prefixes(field_key)

    def write(tree: Object) -> bytes:
        nonlocal places
        if places is None:
            places = _places(fields)
        place_of, pieces = places.by_name.get, places.blank.copy()
        for name, value in tree.items():
            if value is None or (place := place_of(name)) is None:
                continue
            position, write_value, before = place
            if write_value is not None:
                pieces[position] = (
                    write_value(value)
                    if type(value) is not Undecoded
                    else _from_json(write_value, value)
                )
                continue
            text = value.encode()
            size = len(text)
            pieces[position] = before[size] + text if size < _SHORT else _long(before, text)
        for position, write_value in places.inlined:
            pieces[position] = write_value(tree)
        data = b"".join(pieces)
        if prefixes is None:
            return data
        size = len(data)
        return prefixes[size] + data if size < _SHORT else _long(prefixes, data)

    return write


class Undecoded(bytes):
    """The JSON of a field that is an object or a list, in place of its value."""

    __slots__ = ()


def _from_json(write_value: Write, data: Undecoded) -> bytes:
    if len(data) > _LARGEST:
        return write_value(_decode(data))
    return _remembered(write_value, data)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(write_value: Write, data: bytes) -> bytes:
    return write_value(_decode(data))


@cache
def _prefixes(field_key: bytes) -> tuple[bytes, ...]:
    """A key followed by each short length."""
    return tuple(field_key + varint(size) for size in range(_SHORT))


def _long(prefixes: tuple[bytes, ...], data: bytes) -> bytes:
    return sized(prefixes[0][:-1], data)


def _unset(field: Field) -> bytes:
    """What Go writes of a field that isn't set."""
    if field.label or field.is_pointer:
        return b""
    if field.type in _ZEROS:
        wire_type, zero = _ZEROS[field.type]
        return key(field.number, wire_type) + zero
    if field.type in WRITERS:
        return sized(key(field.number, BYTES), UNSET.get(field.type, b""))
    if field.type.rpartition(".")[2] in LISTS:
        return b""
    return sized(key(field.number, BYTES), message_writer(field.type)({}))


def _field_writer(field: Field) -> Write:
    if field.label == "%":
        return _map_writer(field)
    write = _one(field)
    if field.label != "*":
        return write
    return lambda values: b"".join([write(value) for value in values])


def _one(field: Field) -> Write:
    """What writes a field that stands alone, or one item of it."""
    if field.type in _NUMBERS:
        return _NUMBERS[field.type](key(field.number, VARINT))
    field_key = key(field.number, BYTES)
    if field.type == "string":
        return _field_of_text(field_key)
    if field.type == "bytes":
        return lambda value: sized(field_key, base64.b64decode(value))
    if field.type == "double":
        fixed = key(field.number, FIXED64)
        return lambda value: fixed + struct.pack("<d", value)
    return _message_writer(field.type, field_key)


def _field_of_text(field_key: bytes) -> Write:
    def write(value: str) -> bytes:
        data = value.encode()
        return field_key + varint(len(data)) + data

    return write


def _field_of_truth(field_key: bytes) -> Write:
    true, false = field_key + b"\x01", field_key + b"\x00"
    return lambda value: true if value else false


def _field_of_number(field_key: bytes) -> Write:
    return lambda value: field_key + varint(int(value))


_NUMBERS: dict[str, Callable[[bytes], Write]] = {
    "bool": _field_of_truth,
    "int32": _field_of_number,
    "int64": _field_of_number,
    "uint32": _field_of_number,
    "uint64": _field_of_number,
}


def _map_writer(field: Field) -> Write:
    """A map is a row of messages: the key, and the value, which Go always writes."""
    map_key = key(field.number, BYTES)
    write_name = _field_of_text(key(1, BYTES))
    write_value = _one(Field(2, "value", field.type, "", "?"))

    def write(values: dict[str, Any]) -> bytes:
        entries = []
        for name, value in sorted(values.items(), key=_by_key):
            data = write_name(name) + write_value(value)
            entries.append(map_key + varint(len(data)) + data)
        return b"".join(entries)

    return write
