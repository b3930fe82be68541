"""The encoding that all protobuf messages share: numbers of variable length, and fields by number.

The rules are those of https://protobuf.dev/programming-guides/encoding/. It knows no message.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_SHIFT = 63
_SIXTY_FOUR_BITS = 0xFFFF_FFFF_FFFF_FFFF

RawValue = int | bytes
"""A field's value before its type is known: a number, or the bytes of anything else."""


class InvalidProtobuf(ValueError):
    """The bytes are no message in this form."""


def _made_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_FREQUENT_END = 4096
_FREQUENT = tuple(_made_varint(value) for value in range(_FREQUENT_END))


def varint(value: int) -> bytes:
    """A number as it stands on the wire; a negative one takes ten bytes."""
    if 0 <= value < _FREQUENT_END:
        return _FREQUENT[value]
    return _made_varint(value & _SIXTY_FOUR_BITS)


def key(number: int, wire_type: int) -> bytes:
    """What stands before a field's value."""
    return varint(number << 3 | wire_type)


def sized(field_key: bytes, data: bytes) -> bytes:
    """A field of bytes: its key, their number and they themselves."""
    return field_key + varint(len(data)) + data


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position after it. Raises InvalidProtobuf."""
    value = shift = 0
    while position < len(data):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _SIXTY_FOUR_BITS, position
        shift += 7
        if shift > _LONGEST_SHIFT:
            raise InvalidProtobuf("a number is too long")
    raise InvalidProtobuf("a number is cut off")


def read_fields(data: bytes) -> Iterator[tuple[int, RawValue]]:
    """The field numbers and raw values of a message. Raises InvalidProtobuf.

    Numbers, keys and lengths are mostly of one byte, which is read here without a call.
    """
    try:
        yield from _fields(data)
    except IndexError:
        raise InvalidProtobuf("the message is cut off") from None


def _fields(data: bytes) -> Iterator[tuple[int, RawValue]]:
    position, end = 0, len(data)
    while position < end:
        field_key = data[position]
        position += 1
        if field_key >= 0x80:
            field_key, position = read_varint(data, position - 1)
        wire_type = field_key & 7
        if wire_type == VARINT:
            value = data[position]
            position += 1
            if value >= 0x80:
                value, position = read_varint(data, position - 1)
            yield field_key >> 3, value
            continue
        if wire_type == BYTES:
            size = data[position]
            position += 1
            if size >= 0x80:
                size, position = read_varint(data, position - 1)
        elif wire_type in (FIXED64, FIXED32):
            size = 8 if wire_type == FIXED64 else 4
        else:
            raise InvalidProtobuf(f"wire type {wire_type} is not supported")
        start, position = position, position + size
        if position > end:
            raise InvalidProtobuf("the message is cut off")
        yield field_key >> 3, data[start:position]


def text_of(value: RawValue) -> str:
    """Raises InvalidProtobuf, UnicodeDecodeError."""
    if isinstance(value, int):
        raise InvalidProtobuf("a number stands where text belongs")
    return value.decode()


def bytes_of(value: RawValue) -> bytes:
    """Raises InvalidProtobuf."""
    if isinstance(value, int):
        raise InvalidProtobuf("a number stands where a message belongs")
    return value


def integer_of(value: RawValue) -> int:
    """Raises InvalidProtobuf."""
    if not isinstance(value, int):
        raise InvalidProtobuf("bytes stand where a number belongs")
    return value


def signed(value: int) -> int:
    """A number whose highest bit is its sign."""
    return value - 2**64 if value >= 2**63 else value
