"""An HTTPS server for handlers that know only `Request` and `Response`.

All of aiohttp's server side that Sampan uses is behind this module. It must not know what
is served. Large answers leave in pieces (one huge write through TLS stalls the event loop),
bodies are read only when the handler asks for them, and slow or oversized peers are cut off.
"""

import asyncio
import logging
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from sampan.foundation.wire.message import BodyTooLarge, Request, Response
from sampan.foundation.wire.web_socket import AcceptedWebSocket, offered_subprotocols

Handler = Callable[[Request], Awaitable[Response]]

MAXIMUM_BODY = 3 * 1024 * 1024
HEADER_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 120.0
BODY_SECONDS = 60.0
PIECE_BYTES = 128 * 1024
GZIP_ABOVE_BYTES = 128 * 1024
WEB_SOCKET_MESSAGE_BYTES = 1024 * 1024
WEB_SOCKET_PING_SECONDS = 30.0

_log = logging.getLogger("sampan.wire")


class Server:
    """A listening server; `port` is the one it got when 0 was asked for."""

    def __init__(self, listener: asyncio.Server, connections: "_Connections") -> None:
        self._listener = listener
        self._connections = connections
        self.port: int = listener.sockets[0].getsockname()[1]

    async def close(self, drain_seconds: float = 5.0) -> None:
        """Stop listening, let running requests end, and cut off what is left after the drain."""
        self._listener.close()
        await self._connections.shutdown(drain_seconds)


async def serve(
    handler: Handler,
    *,
    addresses: Sequence[str],
    port: int,
    context: ssl.SSLContext | None,
    maximum_body: int = MAXIMUM_BODY,
) -> Server:
    """Listen on every one of `addresses` and answer requests with `handler`.

    The handler is called when a request's header is complete; its body waits on the wire until
    `Request.read_body`. Raises OSError when an address can't be bound.
    """
    connections = _Connections(_Exchange(handler, maximum_body).answer)
    listener = await asyncio.get_running_loop().create_server(
        connections, list(addresses), port, ssl=context, backlog=1024, reuse_address=True
    )
    return Server(listener, connections)


class _Connection(RequestHandler):
    """One connection; ends itself when a request's header takes too long to arrive, and
    cancels the stream that it carries when the peer goes away."""

    __slots__ = ("header_timer", "peer_subject", "stream")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.stream: asyncio.Task[Any] | None = None
        self.peer_subject = _peer_subject(transport)
        self.header_timer: asyncio.TimerHandle | None = self._loop.call_later(
            HEADER_SECONDS, transport.close
        )

    def connection_lost(self, exc: BaseException | None) -> None:
        self.header_complete()
        if self.stream is not None:
            self.stream.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.header_timer is None and self._current_request is None and self.transport:
            self.header_timer = self._loop.call_later(HEADER_SECONDS, self.transport.close)
        super().data_received(data)

    def header_complete(self) -> None:
        if self.header_timer is not None:
            self.header_timer.cancel()
            self.header_timer = None


class _Connections(web.Server):
    """Makes a `_Connection` for each accepted socket and knows them all."""

    def __call__(self) -> RequestHandler:
        return _Connection(
            self,
            loop=self._loop,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            access_log=None,  # type: ignore[arg-type]
            logger=_log,
            max_line_size=16 * 1024,
            max_field_size=32 * 1024,
        )


class _Exchange:
    """Turns one request of aiohttp's into ours, and our answer into its."""

    def __init__(self, handler: Handler, maximum_body: int) -> None:
        self._handler = handler
        self._maximum_body = maximum_body

    async def answer(self, incoming: web.BaseRequest) -> web.StreamResponse:
        connection = incoming.protocol
        assert isinstance(connection, _Connection)
        connection.header_complete()
        try:
            response = await self._handler(self._request(incoming, connection))
        except BodyTooLarge as error:
            response = Response(status=413, body=str(error).encode())
        if response.websocket is not None:
            return await _upgrade(incoming, response)
        if incoming.can_read_body and not incoming.content.is_eof():
            response.headers = {**response.headers, "Connection": "close"}
        return await _write(incoming, connection, response)

    def _request(self, incoming: web.BaseRequest, connection: _Connection) -> Request:
        raw_path, _, raw_query = incoming.raw_path.partition("?")
        headers: dict[str, str] = {}
        for name, value in incoming.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        return Request(
            method=incoming.method,
            path=unquote(raw_path) if "%" in raw_path else raw_path,
            query=_query(raw_query) if raw_query else (),
            headers=headers,
            body_source=self._body_source(incoming) if incoming.can_read_body else None,
            wants_websocket=headers.get("upgrade", "").lower() == "websocket",
            peer_subject=connection.peer_subject,
            peer_address=incoming.remote or "",
        )

    def _body_source(self, incoming: web.BaseRequest) -> Callable[[], Awaitable[bytes]]:
        async def read() -> bytes:
            if (incoming.content_length or 0) > self._maximum_body:
                raise BodyTooLarge(self._maximum_body)
            if incoming.headers.get("Expect", "").lower() == "100-continue":
                await incoming.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                incoming.writer.output_size = 0
            async with asyncio.timeout(BODY_SECONDS):
                return await self._take(incoming)

        return read

    async def _take(self, incoming: web.BaseRequest) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in incoming.content.iter_any():
            size += len(piece)
            if size > self._maximum_body:
                raise BodyTooLarge(self._maximum_body)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _query(raw: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(parse_qsl(raw, keep_blank_values=True, max_num_fields=256))
    except ValueError:
        return ()


def _peer_subject(transport: asyncio.BaseTransport) -> tuple[tuple[str, str], ...]:
    certificate = transport.get_extra_info("peercert") or {}
    return tuple(pair for names in certificate.get("subject", ()) for pair in names)


async def _write(
    incoming: web.BaseRequest, connection: _Connection, response: Response
) -> web.StreamResponse:
    body = response.body
    if isinstance(body, bytes) and len(body) <= PIECE_BYTES:
        return web.Response(status=response.status, headers=response.headers, body=body)
    outgoing = web.StreamResponse(status=response.status, headers=response.headers)
    if isinstance(body, bytes | Sequence):
        pieces = _gathered(body)
        size = len(body) if isinstance(body, bytes) else sum(len(piece) for piece in body)
        if size > GZIP_ABOVE_BYTES and "gzip" in incoming.headers.get("Accept-Encoding", ""):
            outgoing.headers["Content-Encoding"] = "gzip"
            return await _stream(incoming, connection, outgoing, _compressed(pieces))
        outgoing.content_length = size
        await outgoing.prepare(incoming)
        for piece in pieces:
            await outgoing.write(piece)
        await outgoing.write_eof()
        return outgoing
    return await _stream(incoming, connection, outgoing, body)


async def _stream(
    incoming: web.BaseRequest,
    connection: _Connection,
    outgoing: web.StreamResponse,
    body: AsyncIterator[bytes],
) -> web.StreamResponse:
    """Write pieces as they come; the stream is closed whatever ends it."""
    connection.stream = asyncio.current_task()
    try:
        if connection.transport is None:
            raise ConnectionResetError("the peer closed the connection")
        await outgoing.prepare(incoming)
        async for piece in body:
            await outgoing.write(piece)
        await outgoing.write_eof()
    finally:
        connection.stream = None
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()
    return outgoing


def _gathered(body: bytes | Sequence[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about PIECE_BYTES."""
    if isinstance(body, bytes):
        view = memoryview(body)
        for start in range(0, len(body), PIECE_BYTES):
            yield bytes(view[start : start + PIECE_BYTES])
        return
    batch: list[bytes] = []
    size = 0
    for piece in body:
        if len(piece) > 2 * PIECE_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
            yield from _gathered(piece)
            continue
        batch.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)


async def _compressed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """gzip at its fastest level; each piece is one call in a thread that releases the GIL."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        packed = await asyncio.to_thread(compressor.compress, piece)
        if packed:
            yield packed
    yield compressor.flush()


async def _upgrade(incoming: web.BaseRequest, response: Response) -> web.StreamResponse:
    """Accept a WebSocket, or refuse it with 400 when no subprotocol is shared."""
    offered = offered_subprotocols(incoming.headers.getall("Sec-WebSocket-Protocol", []))
    if response.subprotocols and not set(offered) & set(response.subprotocols):
        return web.Response(
            status=400,
            text=f"no shared subprotocol; one of {', '.join(response.subprotocols)} is needed",
        )
    socket = web.WebSocketResponse(
        protocols=response.subprotocols,
        max_msg_size=WEB_SOCKET_MESSAGE_BYTES,
        heartbeat=WEB_SOCKET_PING_SECONDS,
        compress=False,
    )
    try:
        await socket.prepare(incoming)
    except web.HTTPException as refusal:
        return web.Response(status=refusal.status, text=refusal.reason)
    assert response.websocket is not None
    accepted = AcceptedWebSocket(socket)
    try:
        await response.websocket(accepted)
    except ConnectionError:
        _log.debug("a WebSocket's peer went away")
    finally:
        await accepted.close()
    return socket
