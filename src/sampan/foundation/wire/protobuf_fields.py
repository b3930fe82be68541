"""Messages of protobuf written and read by the numbers of their fields.

For the few small messages that BuildKit's, etcd's and health checks' protocols ask for; what is
left out is its type's zero. It knows no message.
"""

from collections.abc import Iterable, Mapping

from sampan.foundation.wire.protobuf import (
    BYTES,
    VARINT,
    RawValue,
    bytes_of,
    integer_of,
    key,
    read_fields,
    sized,
    varint,
)


def integer(number: int, value: int) -> bytes:
    """A number or a truth; nothing for 0, which is every field's default."""
    return key(number, VARINT) + varint(value) if value else b""


def data(number: int, value: bytes) -> bytes:
    """Bytes; nothing for none."""
    return message(number, value) if value else b""


def text(number: int, value: str) -> bytes:
    return data(number, value.encode(errors="replace"))


def message(number: int, value: bytes) -> bytes:
    """A message within another, empty or not."""
    return sized(key(number, BYTES), value)


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
    """The fields of a message by their numbers. Raises InvalidProtobuf."""

    def __init__(self, encoded: bytes) -> None:
        self._values: dict[int, list[RawValue]] = {}
        for number, value in read_fields(encoded):
            self._values.setdefault(number, []).append(value)

    def integer(self, number: int) -> int:
        return integer_of(self._last(number, 0))

    def data(self, number: int) -> bytes:
        return bytes_of(self._last(number, b""))

    def text(self, number: int) -> str:
        return self.data(number).decode(errors="surrogateescape")

    def all(self, number: int) -> list[bytes]:
        return [bytes_of(value) for value in self._values.get(number, [])]

    def texts(self, number: int) -> list[str]:
        return [value.decode(errors="surrogateescape") for value in self.all(number)]

    def has(self, number: int) -> bool:
        return number in self._values

    def mapping(self, number: int) -> dict[str, str]:
        entries: Iterable[Fields] = (Fields(entry) for entry in self.all(number))
        return {entry.text(1): entry.text(2) for entry in entries}

    def _last(self, number: int, default: RawValue) -> RawValue:
        return self._values.get(number, [default])[-1]
