"""One TCP port whose connections are passed on to a target.

Each direction waits while the other side takes nothing, and ends by itself; how many connections
there are is bounded.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

MOST_CONNECTIONS = 1024
_CONNECT_SECONDS = 10.0
_BACKLOG = 128
_LARGEST_BUFFER = 256 << 10
Target = tuple[str, int]


class ConnectionRelay:
    """Of one TCP port."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self._open: set[_Side] = set()

    @classmethod
    async def start(cls, listener: socket.socket, target: Target) -> "ConnectionRelay":
        """On a bound socket, which is the relay's from then on."""
        relay = cls(target)
        loop = asyncio.get_running_loop()
        relay._server = await loop.create_server(relay._side, sock=listener, backlog=_BACKLOG)
        return relay

    def _side(self) -> "_Side":
        return _Side(self._open, self._arrived)

    def _arrived(self, client: "_Side") -> None:
        if len(self._open) > 2 * MOST_CONNECTIONS:
            client.abort()
            return
        task = asyncio.get_running_loop().create_task(self._join(client))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _join(self, client: "_Side") -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, server = await loop.create_connection(lambda: _Side(self._open), *self._target)
        except (OSError, TimeoutError):
            client.abort()
            return
        server.join(client)
        client.join(server)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._passing:
            task.cancel()
        for side in list(self._open):
            side.abort()


class _Side(asyncio.Protocol):
    """One end of a passed-on connection; what it receives, its peer sends."""

    def __init__(
        self, opened: set["_Side"], arrived: Callable[["_Side"], None] | None = None
    ) -> None:
        self._opened = opened
        self._arrived = arrived
        self._transport: asyncio.Transport | None = None
        self._peer: _Side | None = None
        self._early = bytearray()
        self._has_all = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_LARGEST_BUFFER)
        self._opened.add(self)
        if self._arrived is not None:
            self._arrived(self)

    def join(self, peer: "_Side") -> None:
        """Pass on to a peer from now on, first what has come already."""
        self._peer = peer
        peer.send(bytes(self._early))
        self._early.clear()
        if self._has_all:
            self._pass_on_end()
        if self._transport is None:
            peer.end()
        else:
            self._transport.resume_reading()

    def send(self, data: bytes) -> None:
        if self._transport is not None and data:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self._peer is not None:
            self._peer.send(data)
            return
        self._early += data
        if self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The other direction goes on, unless it has ended, too."""
        self._has_all = True
        self._pass_on_end()
        return True

    def _pass_on_end(self) -> None:
        if self._peer is not None and self._peer._transport is not None:
            self._peer._transport.write_eof()
            if self._peer._has_all:
                self._peer.end()
                self.end()

    def pause_writing(self) -> None:
        if self._peer is not None and self._peer._transport is not None:
            self._peer._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._peer is not None and self._peer._transport is not None:
            self._peer._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._opened.discard(self)
        if self._peer is not None:
            self._peer.end()

    def end(self) -> None:
        """Send what is left, then close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
