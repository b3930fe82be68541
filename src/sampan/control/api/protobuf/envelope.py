"""What stands round every object in Kubernetes' protobuf, and round each event of a watch.

A body is four magic bytes and a `runtime.Unknown` that names the kind and holds the object's own
message. A watch is a row of `WatchEvent`s without an envelope of their own, each behind its
length in four bytes (apimachinery's length-delimited framer); the object in it has one.
"""

from collections.abc import Iterator, Sequence

from sampan.foundation.wire.protobuf import (
    InvalidProtobuf,
    bytes_of,
    read_fields,
    sized,
    text_of,
    varint,
)

MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
WATCH_CONTENT_TYPE = f"{CONTENT_TYPE};stream=watch"
# Go writes the content's encoding and type, which are never set, as empty texts.
_TAIL = b"\x1a\x00\x22\x00"
_TYPE, _RAW = b"\x0a", b"\x12"
_LENGTH_BYTES = 4


def head(group_version: str, kind: str, length: int) -> bytes:
    """All that stands before a message of `length` bytes."""
    named = sized(b"\x0a", group_version.encode()) + sized(b"\x12", kind.encode())
    return MAGIC + sized(_TYPE, named) + _RAW + varint(length)


def wrapped(group_version: str, kind: str, message: bytes) -> bytes:
    """A message with its envelope."""
    return head(group_version, kind, len(message)) + message + _TAIL


def wrapped_pieces(group_version: str, kind: str, pieces: Sequence[bytes]) -> list[bytes]:
    """The same for a message that is made of pieces, without joining them."""
    length = sum(len(piece) for piece in pieces)
    return [head(group_version, kind, length), *pieces, _TAIL]


def opened(body: bytes) -> tuple[str, str, bytes]:
    """apiVersion, kind and message of a body. Raises InvalidProtobuf."""
    if not body.startswith(MAGIC):
        raise InvalidProtobuf("the body does not begin as Kubernetes' protobuf does")
    version, kind, raw = "", "", b""
    try:
        for number, value in read_fields(body[len(MAGIC) :]):
            if number == 1:
                version, kind = _type(bytes_of(value))
            elif number == 2:
                raw = bytes_of(value)
            elif number == 3 and text_of(value):
                raise InvalidProtobuf("the body's content encoding is not supported")
    except UnicodeDecodeError as error:
        raise InvalidProtobuf("the body is cut off or malformed") from error
    return version, kind, raw


def _type(data: bytes) -> tuple[str, str]:
    parts = {number: text_of(value) for number, value in read_fields(data)}
    return parts.get(1, ""), parts.get(2, "")


def event_frame(event_type: str, enveloped: bytes) -> bytes:
    """One event of a watch: `enveloped` is the object with its envelope."""
    event = sized(b"\x0a", event_type.encode()) + sized(b"\x12", sized(b"\x0a", enveloped))
    return len(event).to_bytes(_LENGTH_BYTES, "big") + event


def events_of(frames: bytes) -> Iterator[bytes]:
    """The events in a row of whole frames, without their lengths."""
    position = 0
    while position < len(frames):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(frames[position:start], "big")
        yield frames[start:position]
