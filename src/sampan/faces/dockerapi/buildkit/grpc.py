"""gRPC over HTTP/2: messages on a stream, calls that we answer and calls that we make.

Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. No message is known here.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from urllib.parse import quote, unquote

from sampan.engine.contract import EngineError
from sampan.faces.dockerapi.buildkit.http2 import Http2Connection, Http2Stream
from sampan.foundation.wire.protobuf import InvalidProtobuf

OK, UNKNOWN, INVALID, NOT_FOUND, UNIMPLEMENTED = 0, 2, 3, 5, 12
_INTERNAL = 13
_PREFIX = 5
MESSAGE_LIMIT = 16 << 20
_TYPE = "application/grpc"

_log = logging.getLogger(__name__)


class CallFailed(EngineError):
    """A call ended with a status that isn't OK."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class GrpcStream:
    """The messages of one call."""

    def __init__(self, stream: Http2Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    @property
    def metadata(self) -> Mapping[str, str]:
        return self._stream.headers

    async def receive(self) -> bytes | None:
        """The next message, None at the end. Raises ConnectionError, CallFailed."""
        if not await self._fill(_PREFIX):
            return None
        size = int.from_bytes(self._buffer[1:_PREFIX], "big")
        if self._buffer[0] or size > MESSAGE_LIMIT:
            raise CallFailed(INVALID, "a message is compressed or too large")
        if not await self._fill(_PREFIX + size):
            raise ConnectionResetError("a message is cut off")
        message = bytes(self._buffer[_PREFIX : _PREFIX + size])
        del self._buffer[: _PREFIX + size]
        return message

    async def _fill(self, size: int) -> bool:
        while len(self._buffer) < size:
            piece = await self._stream.read()
            if not piece:
                return False
            self._buffer += piece
        return True

    async def send(self, message: bytes, *, end: bool = False) -> None:
        """Raises ConnectionError."""
        await self._stream.send(b"\0" + len(message).to_bytes(4, "big") + message, end=end)

    async def end(self) -> None:
        """Nothing more will be sent. Raises ConnectionError."""
        await self._stream.send(b"", end=True)

    async def messages(self) -> AsyncIterator[bytes]:
        while (message := await self.receive()) is not None:
            yield message

    def check(self) -> None:
        """After the end of a call that we made. Raises CallFailed."""
        trailers = {**self._stream.headers, **self._stream.trailers}
        code = trailers.get("grpc-status", "2")
        if code != "0":
            message = unquote(trailers.get("grpc-message", ""))
            raise CallFailed(int(code) if code.isdecimal() else UNKNOWN, message)

    async def cancel(self) -> None:
        await self._stream.cancel()


Handler = Callable[[GrpcStream], Awaitable[None]]


def serving(handlers: Mapping[str, Handler]) -> Callable[[Http2Stream], Awaitable[None]]:
    """What answers the calls of a connection, by their paths."""

    async def serve(stream: Http2Stream) -> None:
        await stream.send_headers([(":status", "200"), ("content-type", _TYPE)])
        code, message = await _answered(handlers.get(stream.headers.get(":path", "")), stream)
        trailers = [("grpc-status", str(code))]
        if message:
            trailers.append(("grpc-message", quote(message[:8000], safe=" !'()*,/:;<=>?@[]_`{|}~")))
        await stream.send_headers(trailers, end=True)

    return serve


async def _answered(handler: Handler | None, stream: Http2Stream) -> tuple[int, str]:
    if handler is None:
        return UNIMPLEMENTED, f"unknown method {stream.headers.get(':path', '')[:200]}"
    try:
        await handler(GrpcStream(stream))
    except CallFailed as error:
        return error.code, str(error)
    except EngineError as error:
        return UNKNOWN, str(error)
    except InvalidProtobuf as error:
        return INVALID, str(error)
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 - logged whole; clients get its name
        _log.exception("a call of a build failed")
        return _INTERNAL, f"internal error: {type(error).__name__}"
    return OK, ""


async def open_call(
    connection: Http2Connection, path: str, metadata: list[tuple[str, str]] | None = None
) -> GrpcStream:
    """A call that we make. Raises ConnectionError."""
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", _TYPE),
        *(metadata or []),
    ]
    return GrpcStream(await connection.request(headers))


async def ask(connection: Http2Connection, path: str, request: bytes) -> bytes:
    """One message for one. Raises CallFailed, ConnectionError."""
    call = await open_call(connection, path)
    await call.send(request, end=True)
    answer = await call.receive()
    if answer is not None:
        await call.receive()
    call.check()
    return answer or b""
