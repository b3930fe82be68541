"""What all connections of one HTTP server share, and how they end together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from sampan.foundation.wire.message import BodyTooLarge, Request, Response

Handler = Callable[[Request], Awaitable[Response]]
TakeOver = Callable[[asyncio.Transport, bytes, Response], None]
"""Gets a connection that becomes a WebSocket, with what came on it (the header that asked for
that first), and the answer that accepts it."""

_log = logging.getLogger("sampan.wire")


class Connection(Protocol):
    def close_when_idle(self) -> None: ...

    def abort(self) -> None: ...


class Service:
    """What all connections of one server share."""

    def __init__(self, handler: Handler, maximum_body: int, take_over: TakeOver) -> None:
        self.handler = handler
        self.maximum_body = maximum_body
        self.take_over = take_over
        self.closing = False
        self.connections: dict[Connection, None] = {}
        self._emptied = asyncio.Event()

    def forget(self, connection: Connection) -> None:
        self.connections.pop(connection, None)
        if self.closing and not self.connections:
            self._emptied.set()

    async def respond(self, request: Request) -> Response:
        """The handler's answer, or one that tells of its failure. Raises ConnectionError."""
        try:
            return await self.handler(request)
        except BodyTooLarge as error:
            return Response(status=413, body=str(error).encode())
        except TimeoutError:
            return Response(status=408, body=b"the request took too long to arrive")
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001 - logged whole; the peer learns nothing of it
            _log.exception("a request handler failed")
            return Response(status=500, body=b"internal error")

    async def drain(self, seconds: float) -> None:
        """Let running requests end, then cut the rest off."""
        self.closing = True
        for connection in tuple(self.connections):
            connection.close_when_idle()
        if self.connections:
            try:
                async with asyncio.timeout(seconds):
                    await self._emptied.wait()
            except TimeoutError:
                _log.info("connections are cut off at the end of the drain")
        for connection in tuple(self.connections):
            connection.abort()
