"""Fields of protobuf messages as bytes, and back: what BuildKit's messages are made of.

The rules are those of https://protobuf.dev/programming-guides/encoding/. It knows no message.
"""

from collections.abc import Iterable, Mapping

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_SHIFT = 63
_MASK = 0xFFFF_FFFF_FFFF_FFFF


class InvalidMessage(ValueError):
    """The peer's bytes are no message of protobuf."""


def integer(number: int, value: int) -> bytes:
    """A number or a truth; nothing for 0, which is every field's default."""
    return _varint(number << 3 | _VARINT) + _varint(value & _MASK) if value else b""


def data(number: int, value: bytes) -> bytes:
    """Bytes; nothing for none."""
    return message(number, value) if value else b""


def text(number: int, value: str) -> bytes:
    return data(number, value.encode(errors="replace"))


def message(number: int, value: bytes) -> bytes:
    """A message within another, empty or not."""
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def mapping(number: int, values: Mapping[str, str]) -> bytes:
    entries = (text(1, key) + text(2, value) for key, value in sorted(values.items()))
    return b"".join(message(number, entry) for entry in entries)


def timestamp(number: int, seconds: float) -> bytes:
    """A `google.protobuf.Timestamp`; nothing for 0."""
    if not seconds:
        return b""
    whole = int(seconds)
    return message(number, integer(1, whole) + integer(2, int((seconds - whole) * 1e9)))


class Fields:
    """The fields of a message by their numbers. Raises InvalidMessage."""

    def __init__(self, encoded: bytes) -> None:
        self._values: dict[int, list[int | bytes]] = {}
        position = 0
        while position < len(encoded):
            key, position = _read_varint(encoded, position)
            value, position = _read_value(encoded, position, key & 7)
            self._values.setdefault(key >> 3, []).append(value)

    def integer(self, number: int) -> int:
        value = self._last(number, 0)
        if not isinstance(value, int):
            raise InvalidMessage("bytes where a number belongs")
        return value

    def data(self, number: int) -> bytes:
        return _as_bytes(self._last(number, b""))

    def text(self, number: int) -> str:
        return self.data(number).decode(errors="surrogateescape")

    def all(self, number: int) -> list[bytes]:
        return [_as_bytes(value) for value in self._values.get(number, [])]

    def texts(self, number: int) -> list[str]:
        return [value.decode(errors="surrogateescape") for value in self.all(number)]

    def has(self, number: int) -> bool:
        return number in self._values

    def mapping(self, number: int) -> dict[str, str]:
        entries: Iterable[Fields] = (Fields(entry) for entry in self.all(number))
        return {entry.text(1): entry.text(2) for entry in entries}

    def _last(self, number: int, default: int | bytes) -> int | bytes:
        return self._values.get(number, [default])[-1]


def _as_bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise InvalidMessage("a number where bytes belong")
    return value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(encoded: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(encoded) and shift <= _LONGEST_SHIFT:
        byte = encoded[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, position
        shift += 7
    raise InvalidMessage("a number is cut off or too long")


def _read_value(encoded: bytes, position: int, kind: int) -> tuple[int | bytes, int]:
    if kind == _VARINT:
        return _read_varint(encoded, position)
    if kind == _BYTES:
        size, position = _read_varint(encoded, position)
    elif kind in (_FIXED32, _FIXED64):
        size = 4 if kind == _FIXED32 else 8
    else:
        raise InvalidMessage("a field of an unknown kind")
    end = position + size
    if end > len(encoded):
        raise InvalidMessage("a field is cut off")
    return encoded[position:end], end
