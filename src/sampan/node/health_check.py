"""One call of the gRPC health protocol (`grpc.health.v1.Health/Check`) as bytes. Pure.

Theory: a probe makes one unary call on a connection of its own, so that of HTTP/2 (RFC 9113)
only a handful of frames matter: the request is known as a whole before anything is sent, and the
answer is one small message. Headers of the answer aren't read (HPACK, RFC 7541): a server that
refuses the call answers without a message. No I/O and no clock here.
"""

import struct
from enum import IntEnum

from sampan.foundation.wire import protobuf_fields
from sampan.foundation.wire.protobuf import InvalidProtobuf, varint

LONGEST_SERVICE = 8192
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_PATH = "/grpc.health.v1.Health/Check"
_LARGEST_FRAME = 1 << 14
_HEADER = struct.Struct(">BHBBI")
_STREAM = 1
_ACKNOWLEDGED, _END_STREAM, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_NO_PUSH = struct.pack(">HI", 2, 0)
_SERVING = 1
_STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class Frame(IntEnum):
    """The types of frames that are told apart (RFC 9113, section 6)."""

    DATA = 0
    HEADERS = 1
    RESET = 3
    SETTINGS = 4
    PING = 6
    GO_AWAY = 7


class Unhealthy(Exception):
    """The answer isn't that the service is serving; the message says what it is."""


def request(authority: str, service: str, agent: str) -> bytes:
    """All that the client sends of its own accord. Raises Unhealthy for too long a name."""
    name = service.encode()
    if len(name) > LONGEST_SERVICE:
        raise Unhealthy(f"the name of the service is longer than {LONGEST_SERVICE} bytes")
    message = protobuf_fields.data(1, name)
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": _PATH,
        ":authority": authority,
        "content-type": "application/grpc",
        "te": "trailers",
        "user-agent": agent,
    }
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
    return b"".join(
        (
            _PREFACE,
            _frame(Frame.SETTINGS, 0, 0, _NO_PUSH),
            _frame(Frame.HEADERS, _END_HEADERS, _STREAM, block),
            _frame(Frame.DATA, _END_STREAM, _STREAM, _enveloped(message)),
        )
    )


def _frame(kind: Frame, flags: int, stream: int, payload: bytes) -> bytes:
    size = len(payload)
    return _HEADER.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def _enveloped(message: bytes) -> bytes:
    """With the prefix that gRPC gives to messages: uncompressed, and the length."""
    return struct.pack(">BI", 0, len(message)) + message


def _text(text: str) -> bytes:
    """A string literal without Huffman coding (RFC 7541, section 5.2)."""
    content, most = text.encode(), 0x7F
    if len(content) < most:
        return bytes([len(content)]) + content
    return bytes([most]) + varint(len(content) - most) + content


class Answer:
    """What the server has said so far."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._message = bytearray()
        self._is_first = True

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Take in what came: what to send back, and whether the service is known to serve.

        Raises Unhealthy when it is known not to, or when the answer makes no sense.
        """
        self._received += data
        replies = bytearray()
        while (taken := self._take()) is not None:
            reply, serves = self._judge(*taken)
            replies += reply
            if serves:
                return bytes(replies), True
        return bytes(replies), False

    def _take(self) -> tuple[int, int, int, bytes] | None:
        """The next whole frame: its type, flags, stream and payload."""
        start = _HEADER.size
        if len(self._received) < start:
            return None
        high, low, kind, flags, stream = _HEADER.unpack_from(self._received)
        size = high << 16 | low
        if size > _LARGEST_FRAME or (self._is_first and kind != Frame.SETTINGS):
            raise Unhealthy("the server does not speak HTTP/2")
        self._is_first = False
        if len(self._received) < start + size:
            return None
        payload = bytes(self._received[start : start + size])
        del self._received[: start + size]
        return kind, flags, stream & 0x7FFFFFFF, payload

    def _judge(self, kind: int, flags: int, stream: int, payload: bytes) -> tuple[bytes, bool]:
        if kind == Frame.SETTINGS and not flags & _ACKNOWLEDGED:
            return _frame(Frame.SETTINGS, _ACKNOWLEDGED, 0, b""), False
        if kind == Frame.PING and not flags & _ACKNOWLEDGED:
            return _frame(Frame.PING, _ACKNOWLEDGED, 0, payload), False
        if kind == Frame.GO_AWAY or (kind == Frame.RESET and stream == _STREAM):
            raise Unhealthy("error: health rpc probe failed: the server ended the call")
        if stream != _STREAM:
            return b"", False
        if kind == Frame.DATA and self._serves(flags, payload):
            return b"", True
        if kind in (Frame.DATA, Frame.HEADERS) and flags & _END_STREAM:
            raise Unhealthy(
                "error: this server does not implement the grpc health protocol "
                "(grpc.health.v1.Health), or does not know the service"
            )
        return b"", False

    def _serves(self, flags: int, payload: bytes) -> bool:
        """Whether the message is whole and good."""
        if flags & _PADDED and payload:
            payload = payload[1 : max(1, len(payload) - payload[0])]
        self._message += payload
        if len(self._message) < 5:
            return False
        compressed, size = struct.unpack_from(">BI", self._message)
        if compressed or size > _LARGEST_FRAME:
            raise Unhealthy("error: health rpc probe failed: the answer is no plain message")
        if len(self._message) < 5 + size:
            return False
        status = _status(bytes(self._message[5 : 5 + size]))
        if status != _SERVING:
            shown = _STATUSES.get(status, str(status))
            raise Unhealthy(f'service unhealthy (responded with "{shown}")')
        return True


def _status(message: bytes) -> int:
    """What a HealthCheckResponse says. Raises Unhealthy."""
    try:
        return protobuf_fields.Fields(message).integer(1)
    except InvalidProtobuf:
        raise Unhealthy(
            "error: health rpc probe failed: the answer is no HealthCheckResponse"
        ) from None
