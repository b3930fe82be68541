"""History is compacted: what the cache had left behind a whole period before is forgotten."""

import asyncio
import logging

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.foundation import tasks
from sampan.store.contract import Store, StoreError

COMPACTION_SECONDS = 300.0

_log = logging.getLogger("sampan.api")


class Compaction:
    """`start` it once the cache is loaded."""

    def __init__(self, store: Store, cache: WatchCache) -> None:
        self._store = store
        self._cache = cache
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="compaction")

    async def close(self) -> None:
        await tasks.end(self._task)

    async def _run(self) -> None:
        while True:
            before = self._cache.revision
            await asyncio.sleep(COMPACTION_SECONDS)
            try:
                await self._store.compact(before)
            except StoreError:
                _log.exception("compaction failed; it is tried again")
