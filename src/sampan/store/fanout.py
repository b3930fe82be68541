"""Delivery of committed changes to watchers; shared by every store.

Theory: a store publishes each committed batch once, in the order of revisions. A watch first
replays from the store's history what was committed before it was registered, a page at a
time, then hands out what was published since. Its queue is bounded: a watcher that lets more
than the capacity pile up is cut off with SlowWatcher, and nobody else waits for it.
Knows no keys' meaning, no storage and no time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from sampan.store.contract import Change, SlowWatcher

DEFAULT_CAPACITY = 10_000

Replay = Callable[[bytes, int, int], tuple[tuple[Change, ...], int]]
"""`replay(prefix, after, until)` gives the next page of history, and through which revision
it reaches; raises Compacted."""


class Watch(AsyncIterator[tuple[Change, ...]]):
    """One watcher's changes, batch by batch; for a single consumer."""

    def __init__(
        self, fanout: "Fanout", prefix: bytes, after: int, until: int, replay: Replay
    ) -> None:
        self._fanout = fanout
        self._prefix = prefix
        self._replayed = after
        self._until = until
        self._replay = replay
        self._after = max(after, until)
        self._pending: list[Change] = []
        self._failure: Exception | None = None
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> tuple[Change, ...]:
        while self._replayed < self._until and not self._ended:
            page, self._replayed = self._replay(self._prefix, self._replayed, self._until)
            # A long history must not hold the loop from its first page to its last.
            await asyncio.sleep(0)
            if page:
                return page
        while not self._pending:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        batch, self._pending = tuple(self._pending), []
        return batch

    async def aclose(self) -> None:
        """End the watch; whoever waits for its next batch sees it end."""
        self.end(None)

    def deliver(self, changes: tuple[Change, ...], capacity: int) -> None:
        """Queue what of `changes` this watch is for; called by the fanout alone."""
        prefix, after = self._prefix, self._after
        self._pending += [
            change
            for change in changes
            if change.revision > after and change.key.startswith(prefix)
        ]
        if len(self._pending) > capacity:
            self._pending = []
            self.end(SlowWatcher(f"more than {capacity} changes were waiting"))
        elif self._pending:
            self._wake()

    def end(self, failure: Exception | None) -> None:
        """Take no more; after what is queued, iterating raises `failure` or stops."""
        self._ended = True
        self._failure = failure
        self._fanout.forget(self)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Fanout:
    """All watches of one store."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        # A dict keeps the order of registration, so that runs on one seed are repeatable.
        self._watches: dict[Watch, None] = {}

    def subscribe(self, prefix: bytes, after: int, newest: int, replay: Replay) -> Watch:
        """A watch of the changes after `after`; `newest` is the newest published revision."""
        watch = Watch(self, prefix, after, newest, replay)
        self._watches[watch] = None
        return watch

    def publish(self, changes: tuple[Change, ...]) -> None:
        """Hand committed changes to every watch; never waits."""
        for watch in tuple(self._watches):
            watch.deliver(changes, self._capacity)

    def forget(self, watch: Watch) -> None:
        self._watches.pop(watch, None)

    def close(self) -> None:
        """End every watch."""
        for watch in tuple(self._watches):
            watch.end(None)
