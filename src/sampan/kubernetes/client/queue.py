"""A queue of keys to work on: deduplicating, with delays and a backoff of each key.

Theory: a key waits at most once; one that is added while it is being worked on is handed out
again after `done`, never to two workers at once. All time is the running loop's, so a virtual
clock drives it. It must not know what a key means.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class QueueClosed(Exception):
    """The queue was closed; no more keys come."""


class WorkQueue(Generic[K]):
    """Keys to work on. `get` hands one out; its worker calls `done` when it is through."""

    def __init__(self, *, first_delay: float = 0.01, longest_delay: float = 30.0) -> None:
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._working: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: K) -> None:
        """Hand the key out as soon as a worker is free; an earlier delay of it is dropped."""
        if self._closed:
            return
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._working:
            self._offer(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Add the key after a delay; of several delays of one key the shortest counts."""
        if seconds <= 0:
            self.add(key)
            return
        if self._closed or key in self._waiting:
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(seconds, self.add, key)

    def retry(self, key: K) -> None:
        """Add the key after its backoff, which doubles with each call until `forget`."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(self._first_delay * 2.0 ** min(failures, 32), self._longest_delay))

    def forget(self, key: K) -> None:
        """The key's work succeeded: its next backoff starts small again."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key. Raises QueueClosed."""
        while not self._ready:
            if self._closed:
                raise QueueClosed
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake()
                raise
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        """The worker is through with the key; what was added meanwhile is handed out now."""
        self._working.discard(key)
        if key in self._waiting:
            self._offer(key)

    async def work(self, handle: Callable[[K], Awaitable[None]]) -> None:
        """Handle keys one after another until the queue is closed; raises what `handle` does."""
        while True:
            try:
                key = await self.get()
            except QueueClosed:
                return
            try:
                await handle(key)
            finally:
                self.done(key)

    def close(self) -> None:
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._getters:
            self._wake()

    def _offer(self, key: K) -> None:
        self._ready.append(key)
        self._wake()

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
