"""The namespaces that every cluster has come back when somebody has deleted one.

Upstream looks each minute (kube-apiserver's `systemnamespaces`); here the deletion itself wakes
this, because nodes that can't renew their leases are soon taken for lost.
"""

import asyncio
import logging

from sampan.control.api.bootstrap.bootstrap import Bootstrap
from sampan.control.api.cache.stored_object import CacheEvent
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.foundation import tasks
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.resource import NAMESPACES
from sampan.kubernetes.machinery.standing_namespaces import STANDING
from sampan.store.contract import StoreError

_RETRY_SECONDS = 1.0

_log = logging.getLogger("sampan.api")


class StandingNamespaces:
    """`start` it once they are there."""

    def __init__(self, bootstrap: Bootstrap, cache: WatchCache) -> None:
        self._bootstrap = bootstrap
        self._missing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        cache.on_event(self._note, NAMESPACES)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="standing namespaces")

    async def close(self) -> None:
        await tasks.end(self._task)

    def _note(self, _kind: Kind, event: CacheEvent) -> None:
        if event.new is None and event.old is not None and event.old.name in STANDING:
            self._missing.set()

    async def _run(self) -> None:
        while True:
            await self._missing.wait()
            self._missing.clear()
            try:
                await self._bootstrap.ensure_namespaces()
            except (Refused, StoreError) as error:
                _log.warning("a namespace can't be made again: %s; it is tried again", error)
                await asyncio.sleep(_RETRY_SECONDS)
                self._missing.set()
