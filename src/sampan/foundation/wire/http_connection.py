"""One HTTP/1.1 connection: from bytes to requests, from answers to bytes.

Theory: the parser's callbacks make requests, which wait in a short queue; one task at a time
answers them in order. A body stays on the wire until its request asks for it (reading is
paused), and one that nobody asked for is thrown away before the connection ends. What is not
body (headers, trailers, the frames of chunks) is bounded as it arrives, because the parser
gathers an endless line without a word. Large answers leave piece by piece, at the peer's pace.
One timer a connection ends it when a header takes too long or nothing comes at all.
A header that asks for an upgrade is the last that is read here, an answer that is a tunnel the last
that is given.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import cast

import httptools

from sampan.foundation.wire import http_answer
from sampan.foundation.wire.http_service import Service
from sampan.foundation.wire.http_upgrade import UpgradedConnection
from sampan.foundation.wire.keep_alive import watch_over
from sampan.foundation.wire.message import Request, Response, let_go
from sampan.foundation.wire.request_body import RequestBody
from sampan.foundation.wire.request_head import (
    joined_headers,
    peer_fingerprint,
    peer_subject,
    target,
)

HEADER_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 120.0
LINGER_SECONDS = 5.0
MAXIMUM_HEADER_BYTES = 64 * 1024
MAXIMUM_HEADERS = 128
FRAME_BYTES = 20  # A size of 16 digits, and two line ends.
WAITING_REQUESTS = 8

_log = logging.getLogger("sampan.wire")


class _Exchange:
    """A request whose header is complete, and its body."""

    __slots__ = ("body", "keep_alive", "request", "version")

    def __init__(
        self, request: Request, body: RequestBody, version: str, *, keep_alive: bool
    ) -> None:
        self.request = request
        self.body = body
        self.version = version
        self.keep_alive = keep_alive


class HttpConnection(asyncio.Protocol):
    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._peer_subject: tuple[tuple[str, str], ...] = ()
        self._peer_fingerprint = ""
        self._peer_address = ""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._last_headers: list[tuple[bytes, bytes]] = []
        self._last_joined: dict[str, str] = {}
        self._header_bytes = 0
        self._around_bodies = 0
        self._incoming: _Exchange | None = None
        self._waiting: deque[_Exchange] = deque()
        self._task: asyncio.Task[None] | None = None
        self._streaming = False
        self._drained: asyncio.Future[None] | None = None
        self._quiet_since = self._loop.time()
        self._header_since: float | None = self._quiet_since
        self._timer: asyncio.TimerHandle | None = None

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peer_subject = peer_subject(transport)
        self._peer_fingerprint = peer_fingerprint(transport)
        peer = transport.get_extra_info("peername")
        self._peer_address = peer[0] if isinstance(peer, tuple) else ""
        self._service.connections[self] = None
        if (connection := transport.get_extra_info("socket")) is not None:
            watch_over(connection)
        self._timer = self._loop.call_later(HEADER_SECONDS, self._look_at_time)
        if self._service.closing:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._service.forget(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._incoming is not None:
            self._incoming.body.fail(ConnectionResetError("the peer went away"))
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ConnectionResetError("the peer went away"))
        if self._streaming and self._task is not None:
            self._task.cancel()
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        if self._incoming is None and self._header_since is None:
            self._header_since = self._loop.time()
        self._around_bodies += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._hand_over(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400)
        else:
            self._around_bodies = max(self._around_bodies, 0)
            if self._around_bodies > MAXIMUM_HEADER_BYTES:
                self._refuse(431)

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # What the parser says.

    def on_message_begin(self) -> None:
        # Trailers of the message before are headers of nothing.
        self._url, self._headers, self._header_bytes = b"", [], 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        self._header_since = None
        if self._parser.should_upgrade():
            return
        body = RequestBody(self, self._service.maximum_body)
        request = self._request()
        if (
            request.headers.get("content-length", "0") != "0"
            or "transfer-encoding" in request.headers
        ):
            request.body_source = partial(body.read, request.headers)
            request.body_flow = partial(body.pieces, request.headers)
        keep_alive = self._parser.should_keep_alive()
        version = self._parser.get_http_version()
        self._incoming = _Exchange(request, body, version, keep_alive=keep_alive)
        self._waiting.append(self._incoming)
        if self._task is None:
            self._next()
        elif len(self._waiting) >= WAITING_REQUESTS:
            self.pause_reading()

    def on_body(self, data: bytes) -> None:
        assert self._incoming is not None
        self._around_bodies -= len(data)
        self._incoming.body.feed(data)

    def on_chunk_complete(self) -> None:
        # However many there are: only what is longer than a frame has to be counts.
        self._around_bodies -= FRAME_BYTES

    def on_message_complete(self) -> None:
        if self._incoming is None:
            return
        body, self._incoming = self._incoming.body, None
        self._around_bodies = 0
        body.finish()
        self._quiet_since = self._loop.time()
        if body.is_discarded and self._task is None:
            self._close()

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAXIMUM_HEADER_BYTES or len(self._headers) > MAXIMUM_HEADERS:
            self._refuse(431)
            raise httptools.HttpParserError("the header is too large")

    def _request(self) -> Request:
        if self._headers != self._last_headers:
            # Clients send the same ones with every request; trailers may yet join this list.
            self._last_headers = self._headers.copy()
            self._last_joined = joined_headers(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in self._headers
            )
        path, query = target(self._url)
        return Request(
            method=self._parser.get_method().decode("latin-1"),
            path=path,
            query=query,
            headers=self._last_joined.copy(),
            peer_subject=self._peer_subject,
            peer_fingerprint=self._peer_fingerprint,
            peer_address=self._peer_address,
        )

    # What a request's body asks of the connection.

    def pause_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def write_now(self, data: bytes) -> None:
        """Raises ConnectionResetError when the peer has gone."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the peer went away")
        self._transport.write(data)

    # Answering.

    def _next(self) -> None:
        """Answer the next request that waits, or be idle."""
        if self._waiting:
            exchange = self._waiting.popleft()
            self._task = self._loop.create_task(self._answer(exchange))
        else:
            self._task = None
            self._quiet_since = self._loop.time()
            if self._service.closing:
                self._close()

    async def _answer(self, exchange: _Exchange) -> None:
        try:
            response = await self._service.respond(exchange.request)
            if self._transport is None or self._transport.is_closing():
                await let_go(response.body)
                return
            if response.tunnel is not None:
                self._tunnel(response)
                return
            ends = not exchange.keep_alive or self._service.closing or not exchange.body.complete
            await self._write(exchange, response, close=ends)
            if ends:
                self._linger(exchange.body)
        except ConnectionError:
            self._close()
        except Exception:  # noqa: BLE001 - logged whole; half an answer can only be cut off
            _log.exception("an answer broke off")
            self._cut_off()
        finally:
            self._streaming = False
        if self._transport is not None and not self._transport.is_closing() and not ends:
            self._transport.resume_reading()
            self._next()
        else:
            self._task = None

    async def _write(self, exchange: _Exchange, response: Response, *, close: bool) -> None:
        body, headers = response.body, response.headers
        if close:
            headers = {**headers, "Connection": "close"}
        head_alone = exchange.request.method == "HEAD"
        if type(body) is bytes and len(body) <= http_answer.WHOLE_BYTES and not head_alone:
            await self._send(self._head(response, headers, len(body)) + body)
            return
        if head_alone:
            length = http_answer.length_of(body) if isinstance(body, bytes | Sequence) else None
            await self._send(self._head(response, headers, length))
            await let_go(body)
            return
        if not isinstance(body, bytes | Sequence):
            await self._stream(exchange, response, headers, body)
            return
        length = http_answer.length_of(body)
        accepted = exchange.request.headers.get("accept-encoding", "")
        if length > http_answer.GZIP_ABOVE_BYTES and http_answer.takes_gzip(accepted):
            packed = http_answer.compressed(http_answer.gathered(body))
            headers = {**headers, "Content-Encoding": "gzip"}
            await self._stream(exchange, response, headers, packed)
            return
        await self._send(self._head(response, headers, length))
        for piece in http_answer.gathered(body):
            await self._send(piece)

    async def _stream(
        self,
        exchange: _Exchange,
        response: Response,
        headers: dict[str, str],
        body: AsyncIterator[bytes],
    ) -> None:
        """Write pieces as they come; the stream is let go whatever ends it."""
        self._streaming = True
        measured = "content-length" in headers
        chunked = exchange.version == "1.1" and not measured
        if chunked:
            headers = {**headers, "Transfer-Encoding": "chunked"}
        try:
            await self._send(self._head(response, headers, None))
            self.resume_reading()
            async for piece in body:
                if piece:
                    await self._send(http_answer.chunk(piece) if chunked else piece)
            if chunked:
                await self._send(http_answer.LAST_CHUNK)
            elif not measured:
                self._close()
        finally:
            await let_go(body)

    def _head(self, response: Response, headers: dict[str, str], length: int | None) -> bytes:
        return http_answer.head(
            response.status,
            headers,
            moment=time.time(),
            length=length,
            cookies=response.cookies,
        )

    async def _send(self, data: bytes) -> None:
        """Raises ConnectionResetError when the peer has gone; waits while it is slow."""
        self.write_now(data)
        if self._drained is not None:
            await self._drained

    # Ending.

    def close_when_idle(self) -> None:
        if self._task is None:
            self._close()

    def abort(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._cut_off()

    def _cut_off(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _linger(self, body: RequestBody) -> None:
        """End the connection; a peer that still sends gets time to read the answer first."""
        if body.complete:
            self._close()
            return
        body.discard()
        if self._transport is not None:
            self._transport.resume_reading()
            self._loop.call_later(LINGER_SECONDS, self._close)

    def _refuse(self, status: int) -> None:
        if self._transport is not None and not self._transport.is_closing():
            refusal = Response(status=status, headers={"Connection": "close"})
            self._transport.write(self._head(refusal, refusal.headers, 0))
            self._transport.close()

    def _hand_over(self, rest: bytes) -> None:
        """The peer wants an upgrade: another protocol has the connection from here."""
        if self._transport is None or self._task is not None:
            self._refuse(400)
            return
        lines = [b"%b %b HTTP/1.1" % (self._parser.get_method(), self._url)]
        lines += [b"%b: %b" % pair for pair in self._headers]
        transport, self._transport = self._transport, None
        if self._timer is not None:
            self._timer.cancel()
        self._service.forget(self)
        header = b"\r\n".join([*lines, b"", b""])
        UpgradedConnection(self._service, transport, header).begin(self._request(), rest)

    def _tunnel(self, response: Response) -> None:
        """The answer hands the connection over, though the peer didn't ask for it."""
        transport, self._transport = self._transport, None
        assert transport is not None
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        self._service.forget(self)
        UpgradedConnection(self._service, transport, b"").tunnel(response)

    def _look_at_time(self) -> None:
        now = self._loop.time()
        late = self._header_since is not None and now - self._header_since >= HEADER_SECONDS
        idle = self._task is None and now - self._quiet_since >= KEEP_ALIVE_SECONDS
        if late or idle:
            self._close()
        else:
            self._timer = self._loop.call_later(HEADER_SECONDS, self._look_at_time)
