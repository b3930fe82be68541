"""Bytes that arrive on a connection, taken in at the pace of who reads them.

Beyond a small measure the connection's reading is paused. It must not know what the bytes are.
"""

import asyncio
from collections import deque
from typing import Protocol

WAITING_BYTES = 64 * 1024


class PausableReading(Protocol):
    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Inflow:
    """Fed by the connection, read by one reader."""

    __slots__ = ("_ended", "_failure", "_pieces", "_size", "_waiter", "_wire")

    def __init__(self, wire: PausableReading) -> None:
        self._wire = wire
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        """Take in what arrived."""
        if data:
            self._pieces.append(data)
            self._size += len(data)
            self._wake()
        if self._size > WAITING_BYTES:
            self._wire.pause_reading()

    def unread(self, data: bytes) -> None:
        """Give back the end of what was read: it is read again first."""
        if data:
            self._pieces.appendleft(data)
            self._size += len(data)

    def finish(self) -> None:
        """All of it has arrived."""
        self._ended = True
        self._wake()

    @property
    def ended(self) -> bool:
        """Whether all of it has arrived."""
        return self._ended

    def fail(self, failure: Exception) -> None:
        """No more will arrive."""
        self._failure = failure
        self._wake()

    async def read(self) -> bytes:
        """The next bytes, empty at the end. Raises ConnectionError when the peer went away."""
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return b""
            self._wire.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        piece = self._pieces.popleft()
        self._size -= len(piece)
        return piece

    def taken(self) -> bytes:
        """What has arrived and nobody has read."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return taken

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
