"""Frames of SPDY/3.1 as bytes, and bytes as frames. Who sends them, and why, isn't known here.

The SPDY protocol, draft 3.1, section 2.2. Settings and window updates are read over: clients of
Kubernetes neither send windows nor wait for them, TCP's own flow control is all there is.
"""

import struct
from collections.abc import Iterator

import msgspec

from sampan.foundation.wire.spdy.header_block import HeaderReader
from sampan.foundation.wire.spdy.violation import ProtocolViolation

LARGEST_CONTROL_FRAME = 64 * 1024
_VERSION = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS = 1, 2, 3, 6, 7, 8
_FIN = 1
_IS_CONTROL = 1 << 31
_IDENTIFIER = _IS_CONTROL - 1
_HEADER = struct.Struct(">II")
_NUMBER = struct.Struct(">I")
_PAIR = struct.Struct(">II")


class Opened(msgspec.Struct, frozen=True):
    """The peer opens a stream; `is_last`: it will send nothing on it."""

    stream: int
    headers: dict[str, str]
    is_last: bool


class Accepted(msgspec.Struct, frozen=True):
    """The peer answers a stream that was opened here."""

    stream: int
    headers: dict[str, str]
    is_last: bool


class MoreHeaders(msgspec.Struct, frozen=True):
    """Later headers of a stream."""

    stream: int
    headers: dict[str, str]
    is_last: bool


class Data(msgspec.Struct, frozen=True):
    """Bytes of a stream: a whole frame, or as much of it as has come."""

    stream: int
    data: bytes
    is_last: bool


class Reset(msgspec.Struct, frozen=True):
    """The peer wants no more of a stream."""

    stream: int
    status: int


class Ping(msgspec.Struct, frozen=True):
    """To be sent back as it is, unless it is the answer to one of ours."""

    identifier: int


class GoAway(msgspec.Struct, frozen=True):
    """The peer will open no more streams."""

    last_stream: int


Frame = Opened | Accepted | MoreHeaders | Data | Reset | Ping | GoAway

# What a control frame with headers becomes, and how much stands before them.
_WITH_HEADERS: dict[int, tuple[type[Opened | Accepted | MoreHeaders], int]] = {
    _SYN_STREAM: (Opened, 10),
    _SYN_REPLY: (Accepted, 4),
    _HEADERS: (MoreHeaders, 4),
}


class FrameReader:
    """Bytes in, frames out; holds at most one control frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._headers = HeaderReader()
        self._data_stream = 0
        self._data_left = 0
        self._data_is_last = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete. Raises ProtocolViolation."""
        self._buffer += data
        while True:
            if self._data_left:
                if not self._buffer:
                    return
                yield self._piece()
            elif (frame := self._next()) is not None:
                yield from frame
            else:
                return

    def _piece(self) -> Data:
        piece = bytes(self._buffer[: self._data_left])
        del self._buffer[: len(piece)]
        self._data_left -= len(piece)
        is_last = self._data_is_last and not self._data_left
        return Data(self._data_stream, piece, is_last)

    def _next(self) -> tuple[Frame, ...] | None:
        """None while the next frame isn't complete."""
        if len(self._buffer) < _HEADER.size:
            return None
        first, second = _HEADER.unpack_from(self._buffer)
        flags, length = second >> 24, second & 0xFFFFFF
        if not first & _IS_CONTROL:
            del self._buffer[: _HEADER.size]
            self._data_stream, self._data_left = first, length
            self._data_is_last = bool(flags & _FIN)
            return () if length else (Data(first, b"", self._data_is_last),)
        if (first & _IDENTIFIER) >> 16 != _VERSION:
            raise ProtocolViolation("a frame of another version of SPDY")
        if length > LARGEST_CONTROL_FRAME:
            raise ProtocolViolation(f"a control frame of {length} bytes")
        if len(self._buffer) < _HEADER.size + length:
            return None
        body = bytes(self._buffer[_HEADER.size : _HEADER.size + length])
        del self._buffer[: _HEADER.size + length]
        try:
            return self._control(first & 0xFFFF, flags, body)
        except struct.error as error:
            raise ProtocolViolation("a control frame is cut off") from error

    def _control(self, kind: int, flags: int, body: bytes) -> tuple[Frame, ...]:
        if kind == _RST_STREAM:
            stream, status = _PAIR.unpack_from(body)
            return (Reset(stream & _IDENTIFIER, status),)
        if kind == _PING:
            return (Ping(_number(body)),)
        if kind == _GOAWAY:
            return (GoAway(_number(body) & _IDENTIFIER),)
        made = _WITH_HEADERS.get(kind)
        if made is None:
            return ()
        frame, head = made
        headers = self._headers.headers(body[head:])
        return (frame(_number(body) & _IDENTIFIER, headers, bool(flags & _FIN)),)


def _number(body: bytes) -> int:
    return int(_NUMBER.unpack_from(body)[0])


def opening(stream: int, block: bytes) -> bytes:
    """SYN_STREAM with a header block."""
    return _control_frame(_SYN_STREAM, _PAIR.pack(stream, 0) + b"\0\0" + block)


def acceptance(stream: int, block: bytes) -> bytes:
    """SYN_REPLY with a header block."""
    return _control_frame(_SYN_REPLY, _NUMBER.pack(stream) + block)


def reset(stream: int, status: int) -> bytes:
    """RST_STREAM; a status of 3 is REFUSED_STREAM."""
    return _control_frame(_RST_STREAM, _PAIR.pack(stream, status))


def ping(identifier: int) -> bytes:
    return _control_frame(_PING, _NUMBER.pack(identifier))


def farewell(last_stream: int) -> bytes:
    """GOAWAY without an error."""
    return _control_frame(_GOAWAY, _PAIR.pack(last_stream, 0))


def data(stream: int, content: bytes, *, is_last: bool = False) -> bytes:
    """A data frame of at most 16 MiB."""
    return _HEADER.pack(stream, (_FIN if is_last else 0) << 24 | len(content)) + content


def _control_frame(kind: int, body: bytes) -> bytes:
    return _HEADER.pack(_IS_CONTROL | _VERSION << 16 | kind, len(body)) + body
