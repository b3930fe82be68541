"""Delivery of committed changes to watchers; shared by every store.

Theory: a store publishes each committed batch once, in the order of revisions. A watch first
replays from the store's history what was committed before it was registered, a page at a
time, then hands out what was published since. Its queue is bounded: a watcher that lets more
than the capacity pile up is cut off with SlowWatcher, and nobody else waits for it.
Knows no keys' meaning, no storage and no time.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from sampan.store.contract import Change, SlowWatcher

DEFAULT_CAPACITY = 10_000

History = AsyncGenerator[tuple[Change, ...], None]
Replay = Callable[[bytes, int, int], History]
"""`replay(prefix, after, until)` gives the history after one revision and up to another, a page
at a time; iterating raises Compacted, Unavailable."""


class Watch(AsyncIterator[tuple[Change, ...]]):
    """One watcher's changes, batch by batch; for a single consumer."""

    def __init__(
        self, fanout: "Fanout", prefix: bytes, after: int, history: History | None
    ) -> None:
        """`after` is the revision that `history` reaches, or from which to begin without."""
        self._fanout = fanout
        self._prefix = prefix
        self._after = after
        self._history = history
        self._page: asyncio.Future[tuple[Change, ...] | None] | None = None
        self._pending: list[Change] = []
        self._failure: Exception | None = None
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> tuple[Change, ...]:
        while self._history is not None:
            page = await self._next_page(self._history)
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

    async def _next_page(self, history: History) -> tuple[Change, ...]:
        """The next page of history; a task of its own, so that ending the watch ends it."""
        if self._ended:
            self._history = None
            await history.aclose()
            return ()
        self._page = page = asyncio.ensure_future(anext(history, None))
        try:
            await asyncio.wait((page,))
        finally:
            self._page = None
            page.cancel()
        if page.cancelled():
            return ()
        found = page.result()
        if found is None:
            self._history = None
        return found or ()

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
        if self._page is not None:
            self._page.cancel()
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
        history = replay(prefix, after, newest) if after < newest else None
        watch = Watch(self, prefix, max(after, newest), history)
        self._watches[watch] = None
        return watch

    def publish(self, changes: tuple[Change, ...]) -> None:
        """Hand committed changes to every watch; never waits."""
        for watch in tuple(self._watches):
            watch.deliver(changes, self._capacity)

    def forget(self, watch: Watch) -> None:
        self._watches.pop(watch, None)

    def close(self, failure: Exception | None = None) -> None:
        """End every watch; those that iterate learn of a `failure`."""
        for watch in tuple(self._watches):
            watch.end(failure)
