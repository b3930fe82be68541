"""The body of one request as it arrives on a connection.

It stays on the wire until somebody asks for it: beyond a small measure reading is paused. Read
whole, it is bounded in size and in time; piece by piece it comes at the reader's pace. It can be
thrown away. It must not know what it holds.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from sampan.foundation.wire.inflow import Inflow
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
        "_flow",
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
        self._flow: Inflow | None = None

    @property
    def is_discarded(self) -> bool:
        return self._discarded

    def feed(self, data: bytes) -> None:
        """Take in what arrived; a body that grows too large fails."""
        if self._discarded:
            return
        if self._flow is not None:
            self._flow.feed(data)
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
        if self._flow is not None:
            self._flow.finish()
        self._wake()

    def fail(self, failure: Exception) -> None:
        """No more will arrive."""
        self._failure = failure
        if self._flow is not None:
            self._flow.fail(failure)
        self._wake()

    def discard(self) -> None:
        """Keep nothing of what is there and what comes."""
        self._discarded = True
        self._pieces = []

    async def pieces(self, headers: dict[str, str]) -> AsyncIterator[bytes]:
        """The body as it comes, in place of `read`. Raises ConnectionResetError."""
        flow = self._flow = Inflow(self._wire)
        for piece in self._pieces:
            flow.feed(piece)
        self._pieces = []
        if self.complete:
            flow.finish()
        elif self._failure is not None:
            flow.fail(self._failure)
        else:
            self._continue(headers)
        while piece := await flow.read():
            yield piece

    async def read(self, headers: dict[str, str]) -> bytes:
        """The whole body. Raises BodyTooLarge, ConnectionResetError, TimeoutError."""
        length = headers.get("content-length", "")
        if length.isdigit() and int(length[:20]) > self._maximum:
            raise BodyTooLarge(self._maximum)
        self._wanted = True
        if not self.complete and self._failure is None:
            self._continue(headers)
            async with asyncio.timeout(ARRIVAL_SECONDS):
                await self._arrival()
        if self._failure is not None:
            raise self._failure
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def _continue(self, headers: dict[str, str]) -> None:
        if headers.get("expect", "").lower() == "100-continue":
            self._wire.write_now(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._wire.resume_reading()

    async def _arrival(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.complete and self._failure is None:
            self._waiter = loop.create_future()
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
