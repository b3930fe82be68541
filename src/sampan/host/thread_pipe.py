"""Bytes that a thread writes and the event loop reads, with little held between them.

Neither end knows what the bytes mean.
"""

import asyncio
import io
import threading
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

_PIECE = 256 * 1024
_PIECES = 8


class ThreadPipe(io.RawIOBase):
    """A file for the thread to write to. Make it in the event loop's own thread."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._room = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._gathered = bytearray()
        self._ended = False
        self._left = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Waits for the reader; raises BrokenPipeError when it has left."""
        self._gathered += data
        if len(self._gathered) >= _PIECE:
            self._hand_over()
        return len(data)

    def end(self) -> None:
        """Nothing more will be written."""
        if self._gathered and not self._left:
            self._hand_over()
        with self._room:
            self._ended = True
        self._wake()

    def leave(self) -> None:
        """The reader has gone: whoever writes is told so."""
        with self._room:
            self._left = True
            self._pieces.clear()
            self._room.notify_all()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Until the end."""
        while True:
            self._ready.clear()
            with self._room:
                taken = list(self._pieces)
                self._pieces.clear()
                self._room.notify_all()
                ended = self._ended
            for piece in taken:
                yield piece
            if ended and not taken:
                return
            if not taken:
                await self._ready.wait()

    def _hand_over(self) -> None:
        with self._room:
            while len(self._pieces) >= _PIECES and not self._left:
                self._room.wait()
            if self._left:
                raise BrokenPipeError("the reader has gone")
            self._pieces.append(bytes(self._gathered))
        self._gathered.clear()
        self._wake()

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._ready.set)
