"""What all connections of one HTTP server share, and how they end together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from sampan.foundation.wire.message import Request, Response

Handler = Callable[[Request], Awaitable[Response]]
TakeOver = Callable[[asyncio.Transport, bytes], None]
"""Gets a connection whose peer wants a WebSocket, with the header that said so."""

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
