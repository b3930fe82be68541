"""Who waits for a revision: woken, lowest first, once it has been reached.

It must not know what a revision stands for, nor how far things have come.
"""

import asyncio
import heapq


class RevisionWaiters:
    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._sequence = 0

    async def wait(self, revision: int) -> None:
        """Return once `wake` has been told of the revision or a later one."""
        waiter = asyncio.get_running_loop().create_future()
        self._sequence += 1
        heapq.heappush(self._waiting, (revision, self._sequence, waiter))
        await waiter

    def wake(self, revision: int) -> None:
        """Everything up to `revision` has come."""
        while self._waiting and self._waiting[0][0] <= revision:
            waiter = heapq.heappop(self._waiting)[2]
            if not waiter.done():
                waiter.set_result(None)
