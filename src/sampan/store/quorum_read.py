"""One read for all who ask while the one before is on its way.

Who asks must see what was true after they asked, so they can't share a read that has begun;
but all who wait for the next can share that. Knows nothing of what is read.
"""

import asyncio
from collections.abc import Awaitable, Callable


class QuorumRead:
    """Calls `read` once for many."""

    def __init__(self, read: Callable[[], Awaitable[int]]) -> None:
        self._read = read
        self._running: asyncio.Task[int] | None = None
        self._next: asyncio.Task[int] | None = None

    async def __call__(self) -> int:
        """What a read that began after this call gave, or raised."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running), name="quorum read")
        return await asyncio.shield(self._next)

    async def _after(self, before: asyncio.Task[int] | None) -> int:
        if before is not None and not before.done():
            await asyncio.wait((before,))
        self._running, self._next = self._next, None
        return await self._read()
