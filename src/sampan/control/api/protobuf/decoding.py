"""Bodies in `application/vnd.kubernetes.protobuf`, read into the trees that JSON gives.

Theory: a reader is made for each message when it is first met: a table from field numbers to what
reads them. Go writes fields that are no pointers even when they are zero, where JSON may leave
them out; so are they here, as the presence of `messages` tells, and the tree is the one that
the same client's JSON would have given. Depth and the number of fields are bounded.
"""

import base64
import math
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from sampan.control.api.protobuf import envelope, well_known_reading
from sampan.control.api.protobuf.messages import Field, UnknownMessage, fields_of, message_name
from sampan.foundation.wire.protobuf import (
    InvalidProtobuf,
    RawValue,
    bytes_of,
    read_fields,
    read_varint,
    signed,
    text_of,
)
from sampan.kubernetes.kinds.kind import Object

_MAXIMUM_DEPTH = 96
_MAXIMUM_FIELDS = 500_000
_BYTES_OF_DOUBLE = 8
_MALFORMED = (UnicodeDecodeError, OverflowError)


class _Reading:
    """One body being read: how many more fields it may have."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MAXIMUM_FIELDS

    def count(self, fields: int) -> None:
        """Raises InvalidProtobuf when there were too many."""
        self.left -= fields
        if self.left < 0:
            raise InvalidProtobuf("the body holds too many fields")


_Read = Callable[[RawValue, _Reading, int], Any]
_Put = Callable[[Object, RawValue, _Reading, int], None]


def decode(body: bytes, default_version: str, default_kind: str) -> Object:
    """The tree of an object; the defaults are used where the body doesn't say what it is.

    Raises InvalidProtobuf.
    """
    return _opened(body, _Reading(), 0, default_version, default_kind)


def decode_message(name: str, data: bytes) -> Any:
    """The JSON value of a message without an envelope. Raises InvalidProtobuf, UnknownMessage."""
    try:
        return _message(name)(data, _Reading(), 0)
    except _MALFORMED as error:
        raise InvalidProtobuf("the message is cut off or malformed") from error


def _opened(
    body: bytes, reading: _Reading, depth: int, version: str = "", kind: str = ""
) -> Object:
    named_version, named_kind, raw = envelope.opened(body)
    version, kind = named_version or version, named_kind or kind
    try:
        tree: Object = _message(message_name(version, kind))(raw, reading, depth)
    except UnknownMessage as error:
        raise InvalidProtobuf(f"{kind} in {version} is not served in protobuf") from error
    except _MALFORMED as error:
        raise InvalidProtobuf("the body is cut off or malformed") from error
    return {"apiVersion": version, "kind": kind} | tree


@cache
def _message(name: str) -> _Read:
    """What reads a message."""
    short = name.rpartition(".")[2]
    if (well_known := well_known_reading.READERS.get(name)) is not None:
        return lambda value, _reading, _depth: well_known(bytes_of(value))
    if name == well_known_reading.RAW_EXTENSION:
        return _raw_extension
    read = _plain(name)
    if short in well_known_reading.LISTS:
        return lambda value, reading, depth: read(value, reading, depth).get("items", [])
    if short in well_known_reading.ALTERNATIVES:
        return lambda value, reading, depth: well_known_reading.alternative(
            short, read(value, reading, depth)
        )
    return read


def _plain(name: str) -> _Read:
    """Texts, the most frequent of all, are put in place without a call. The tables are made at
    first use, for messages can be nested in themselves."""
    fields = fields_of(name)
    texts = {
        field.number: (field.name, _keeps_zero(field))
        for field in fields
        if field.type == "string" and not field.label
    }
    puts: dict[int, _Put] = {}

    def read(value: RawValue, reading: _Reading, depth: int) -> Object:
        if depth > _MAXIMUM_DEPTH:
            raise InvalidProtobuf("the body is nested too deeply")
        if not puts:
            puts.update({field.number: _put(field) for field in fields})
        tree: Object = {}
        count = 0
        for number, raw in read_fields(bytes_of(value)):
            count += 1
            if number in texts:
                text_name, keeps_zero = texts[number]
                if raw or keeps_zero:
                    tree[text_name] = text_of(raw)
            elif (put := puts.get(number)) is not None:
                put(tree, raw, reading, depth + 1)
        reading.count(count)
        return tree

    return read


def _raw_extension(value: RawValue, reading: _Reading, depth: int) -> Any:
    """An object of any kind, as JSON or as protobuf with its envelope."""
    if depth > _MAXIMUM_DEPTH:
        raise InvalidProtobuf("the body is nested too deeply")
    data = bytes_of(value)
    inner = next((raw for number, raw in read_fields(data) if number == 1), None)
    if isinstance(inner, bytes) and inner.startswith(envelope.MAGIC):
        return _opened(inner, reading, depth)
    return well_known_reading.embedded_json(data)


def _put(field: Field) -> _Put:
    """What puts a field's value into the tree."""
    read = _SCALARS.get(field.type) or _message(field.type)
    if field.label == "%":
        return _put_entry(field.name, read)
    if field.label == "*":
        return _put_item(field, read)
    if field.label == "!":
        return lambda tree, raw, reading, depth: tree.update(read(raw, reading, depth))
    return _put_value(field, read)


def _put_value(field: Field, read: _Read) -> _Put:
    name, keeps_zero = field.name, _keeps_zero(field)

    def put(tree: Object, raw: RawValue, reading: _Reading, depth: int) -> None:
        value = read(raw, reading, depth)
        if value or (keeps_zero and value is not None):
            tree[name] = value

    return put


def _keeps_zero(field: Field) -> bool:
    """Whether a zero stands in the tree; a port or a list that was never set does not."""
    if field.presence != "0":
        return field.is_pointer
    short = field.type.rpartition(".")[2]
    return field.type not in well_known_reading.READERS and short not in well_known_reading.LISTS


def _put_item(field: Field, read: _Read) -> _Put:
    name, packs = field.name, field.type in _NUMBERS

    def put(tree: Object, raw: RawValue, reading: _Reading, depth: int) -> None:
        items = tree.setdefault(name, [])
        if packs and not isinstance(raw, int):
            position = 0
            while position < len(raw):
                reading.count(1)
                number, position = read_varint(raw, position)
                items.append(read(number, reading, depth))
            return
        items.append(read(raw, reading, depth))

    return put


def _put_entry(name: str, read: _Read) -> _Put:
    def put(tree: Object, raw: RawValue, reading: _Reading, depth: int) -> None:
        key, value = "", b""
        for number, part in read_fields(bytes_of(raw)):
            if number == 1:
                key = text_of(part)
            elif number == 2:
                value = bytes_of(part)
        tree.setdefault(name, {})[key] = read(value, reading, depth)

    return put


def _number(value: RawValue, _reading: _Reading, _depth: int) -> int:
    if not isinstance(value, int):
        raise InvalidProtobuf("bytes stand where a number belongs")
    return value


def _double(value: RawValue, _reading: _Reading, _depth: int) -> float:
    if isinstance(value, int) or len(value) != _BYTES_OF_DOUBLE:
        raise InvalidProtobuf("a number of eight bytes is malformed")
    found: float = struct.unpack("<d", value)[0]
    if not math.isfinite(found):
        raise InvalidProtobuf("a number is none that JSON knows")
    return found


def _signed(value: RawValue, reading: _Reading, depth: int) -> int:
    return signed(_number(value, reading, depth))


_NUMBERS = frozenset(("bool", "int32", "int64", "uint32", "uint64"))
_SCALARS: dict[str, _Read] = {
    "string": lambda value, _reading, _depth: text_of(value),
    "bytes": lambda value, _reading, _depth: base64.b64encode(bytes_of(value)).decode(),
    "bool": lambda value, reading, depth: _number(value, reading, depth) != 0,
    "double": _double,
    "int32": _signed,
    "int64": _signed,
    "uint32": _number,
    "uint64": _number,
}
