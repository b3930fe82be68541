"""An asynchronous stream as a thread reads it, and a blocking one as the event loop does."""

import asyncio
from collections.abc import AsyncIterator, Iterator


class ThreadReader:
    """Reads, in a thread, what an asynchronous stream of the event loop gives.

    Make it in the event loop's own thread.
    """

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = aiter(stream)
        self._loop = asyncio.get_running_loop()
        self._pending = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, b"" at the end. Raises what the stream raises."""
        while not self._pending:
            following = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            if following is None:
                return b""
            self._pending = memoryview(following)
        end = len(self._pending) if size < 0 else size
        piece, self._pending = self._pending[:end], self._pending[end:]
        return bytes(piece)

    async def _next(self) -> bytes | None:
        return await anext(self._stream, None)


async def pieces_of(blocking: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece is made in a thread."""
    while (piece := await asyncio.to_thread(next, blocking, None)) is not None:
        yield piece
