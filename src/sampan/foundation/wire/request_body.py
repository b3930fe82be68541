"""The body of one request as it arrives on a connection.

It stays on the wire until somebody asks for it: beyond a small measure reading is paused. It is
bounded in size and in time, and can be thrown away. It must not know what it holds.
"""

import asyncio
from typing import Protocol

from sampan.foundation.wire.message import BodyTooLarge

ARRIVAL_SECONDS = 60.0
UNASKED_BYTES = 64 * 1024


class Wire(Protocol):
    """What a body needs of its connection."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write_now(self, data: bytes) -> None:
        """Raises ConnectionResetError when the peer has gone."""


class RequestBody:
    """Fed by the connection, read by the request's handler."""

    __slots__ = (
        "_discarded",
        "_failure",
        "_maximum",
        "_pieces",
        "_size",
        "_waiter",
        "_wanted",
        "_wire",
        "complete",
    )

    def __init__(self, wire: Wire, maximum: int) -> None:
        self.complete = False
        self._wire = wire
        self._maximum = maximum
        self._pieces: list[bytes] = []
        self._size = 0
        self._wanted = self._discarded = False
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_discarded(self) -> bool:
        return self._discarded

    def feed(self, data: bytes) -> None:
        """Take in what arrived; a body that grows too large fails."""
        if self._discarded:
            return
        self._size += len(data)
        if self._size > self._maximum:
            self.discard()
            self.fail(BodyTooLarge(self._maximum))
            return
        self._pieces.append(data)
        if not self._wanted and self._size > UNASKED_BYTES:
            self._wire.pause_reading()

    def finish(self) -> None:
        """All of it has arrived."""
        self.complete = True
        self._wake()

    def fail(self, failure: Exception) -> None:
        """No more will arrive."""
        self._failure = failure
        self._wake()

    def discard(self) -> None:
        """Keep nothing of what is there and what comes."""
        self._discarded = True
        self._pieces = []

    async def read(self, headers: dict[str, str]) -> bytes:
        """The whole body. Raises BodyTooLarge, ConnectionResetError, TimeoutError."""
        length = headers.get("content-length", "")
        if length.isdigit() and int(length[:20]) > self._maximum:
            raise BodyTooLarge(self._maximum)
        self._wanted = True
        if not self.complete and self._failure is None:
            if headers.get("expect", "").lower() == "100-continue":
                self._wire.write_now(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._wire.resume_reading()
            async with asyncio.timeout(ARRIVAL_SECONDS):
                await self._arrival()
        if self._failure is not None:
            raise self._failure
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    async def _arrival(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.complete and self._failure is None:
            self._waiter = loop.create_future()
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
