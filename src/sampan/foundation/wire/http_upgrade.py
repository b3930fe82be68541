"""A connection that ceases to be HTTP, from the header that asked for an upgrade to its end.

Nothing is parsed any more: the handler's answer says what the bytes become. A WebSocket is handed
to whoever speaks that; a tunnel gets the bytes as they are; any other answer is sent, and the
connection ends with it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from functools import partial

from sampan.foundation.wire import http_answer
from sampan.foundation.wire.http_service import Service
from sampan.foundation.wire.inflow import Inflow
from sampan.foundation.wire.message import BodyTooLarge, Request, Response, let_go, whole
from sampan.foundation.wire.request_body import ARRIVAL_SECONDS

MAXIMUM_BODY = 64 * 1024

_log = logging.getLogger("sampan.wire")


class UpgradedConnection(asyncio.Protocol):
    """Takes over from the connection that has read the header. It is its tunnel's ByteStream."""

    def __init__(self, service: Service, transport: asyncio.Transport, header: bytes) -> None:
        self._service = service
        self._transport = transport
        self._header = header
        self._flow = Inflow(self)
        self._drained: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._tunnelling = False
        self.read = self._flow.read

    def begin(self, request: Request, rest: bytes) -> None:
        """Answer the request; `rest` came behind its header."""
        request.wants_websocket = request.headers.get("upgrade", "").lower() == "websocket"
        self._transport.set_protocol(self)
        self._service.connections[self] = None
        self._flow.feed(rest)
        self._task = asyncio.get_running_loop().create_task(self._guarded(self._answer(request)))

    def tunnel(self, response: Response) -> None:
        """Give this answer, which hands the connection over without having been asked to."""
        self._transport.set_protocol(self)
        self._service.connections[self] = None
        self._task = asyncio.get_running_loop().create_task(self._guarded(self._give(response)))

    # What the transport says.

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.forget(self)
        self._flow.fail(ConnectionResetError("the peer went away"))
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ConnectionResetError("the peer went away"))
        # A tunnel still passes on what has arrived; anything else has nobody left to answer.
        if self._task is not None and not self._tunnelling:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._flow.feed(data)

    def eof_received(self) -> bool:
        """A peer that has said all may still listen, even before it is known what it is
        answered; asyncio's TLS knows no such half."""
        self._flow.finish()
        return self._transport.can_write_eof()

    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # What others ask of the connection.

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    async def write(self, data: bytes) -> None:
        """Raises ConnectionResetError when the peer has gone; waits while it is slow."""
        if self._transport.is_closing():
            raise ConnectionResetError("the peer went away")
        self._transport.write(data)
        if self._drained is not None:
            await self._drained

    def close_when_idle(self) -> None:
        """It is never idle."""

    def abort(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    # Answering.

    async def _answer(self, request: Request) -> None:
        request.body_source = partial(self._body, request.headers)
        response = await self._service.respond(request)
        if response.websocket is not None:
            self._hand_over(response)
            return
        if response.tunnel is not None:
            await self._give(response)
            return
        await self._refuse(request, response)
        self._transport.close()

    async def _guarded(self, answering: Coroutine[None, None, None]) -> None:
        try:
            await answering
        except ConnectionError:
            _log.debug("the peer of an upgraded connection went away")
            self._transport.close()
        except Exception:  # noqa: BLE001 - logged whole; no answer can tell of it any more
            _log.exception("an upgraded connection broke off")
            self._transport.close()

    async def _body(self, headers: dict[str, str]) -> bytes:
        """A small body of the request that asks for the upgrade; what follows is another
        protocol's. Raises BodyTooLarge, ConnectionResetError, TimeoutError."""
        stated = headers.get("content-length", "0")
        length = int(stated) if stated.isdigit() and len(stated) < 12 else 0
        if length > MAXIMUM_BODY:
            raise BodyTooLarge(MAXIMUM_BODY)
        body = b""
        async with asyncio.timeout(ARRIVAL_SECONDS):
            while len(body) < length:
                if not (piece := await self._flow.read()):
                    raise ConnectionResetError("the body is cut off")
                body += piece
        self._flow.unread(body[length:])
        return body[:length]

    async def _give(self, response: Response) -> None:
        """Send the head of an answer, and let its tunnel have the connection."""
        assert response.tunnel is not None
        self._tunnelling = True
        try:
            await self.write(_head(response, response.headers))
            await response.tunnel(self)
        finally:
            await let_go(response.body)
        self._transport.close()

    async def _refuse(self, request: Request, response: Response) -> None:
        """The answer as it is; the end of the connection is its end."""
        body, headers = response.body, {**response.headers, "Connection": "close"}
        try:
            if isinstance(body, AsyncIterator):
                await self.write(_head(response, headers))
                async for piece in body:
                    await self.write(piece)
            else:
                content = await whole(body)
                await self.write(_head(response, headers, len(content)))
                await self.write(content if request.method != "HEAD" else b"")
        finally:
            await let_go(body)

    def _hand_over(self, accepted: Response) -> None:
        """Another protocol serves the WebSocket from here; an end that has come it won't hear."""
        if self._flow.ended:
            self._transport.close()
            return
        self._service.forget(self)
        self._service.take_over(self._transport, self._header + self._flow.taken(), accepted)


def _head(response: Response, headers: dict[str, str], length: int | None = None) -> bytes:
    return http_answer.head(
        response.status, headers, moment=time.time(), length=length, cookies=response.cookies
    )
