"""Events are news: each is taken away an hour after it was last written.

Theory: the cache tells of every write of an event; a queue in the order of those writes says
which expires next, and one task sleeps until then. Events that are there at the start get a
whole hour again.
"""

import asyncio
import logging
from collections import deque

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.writing.writer import Writer
from sampan.foundation import tasks
from sampan.kubernetes.kinds.all import BY_RESOURCE
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.resource import EVENTS
from sampan.store.contract import StoreError

LIFETIME_SECONDS = 3600.0
_RETRY_SECONDS = 10.0

_log = logging.getLogger("sampan.api")


class EventExpiry:
    """`start` it once the cache is loaded."""

    def __init__(self, writer: Writer, cache: WatchCache) -> None:
        self._writer = writer
        self._cache = cache
        self._written: deque[tuple[float, str, int]] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        cache.on_event(self._note, EVENTS)

    def start(self) -> None:
        now = asyncio.get_running_loop().time()
        present = self._cache.of(EVENTS).select(Selection())
        self._written.extendleft((now, stored.key, stored.revision) for stored in present)
        self._task = asyncio.create_task(self._run(), name="expiry of events")
        self._arrived.set()

    async def close(self) -> None:
        await tasks.end(self._task)
        self._task = None

    def _note(self, _kind: Kind, event: CacheEvent) -> None:
        if event.new is not None:
            now = asyncio.get_running_loop().time()
            self._written.append((now, event.new.key, event.new.revision))
            self._arrived.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._written:
                self._arrived.clear()
                await self._arrived.wait()
            written, key, revision = self._written[0]
            await asyncio.sleep(written + LIFETIME_SECONDS - loop.time())
            try:
                await self._expire(key, revision)
            except StoreError:
                _log.exception("an event was not taken away; it is tried again")
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._written.popleft()

    async def _expire(self, key: str, revision: int) -> None:
        """Remove this version; one that was written again has another turn of its own."""
        current = self._cache.of(EVENTS).get(key)
        if current is not None and current.revision == revision:
            await self._writer.remove(BY_RESOURCE[EVENTS], current)
