"""Keeps the status of validating policies: what type checking says of their newest version."""

import asyncio
import logging

import msgspec

from sampan.control.api.admission.policies.documents import decode_policy
from sampan.control.api.admission.policies.type_checking import TypeCheck
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent, StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.control.api.writing.writer import Writer
from sampan.foundation import tasks
from sampan.kubernetes.client.queue import WorkQueue
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import VALIDATING_ADMISSION_POLICIES
from sampan.store.contract import StoreError

_RETRY_SECONDS = 1.0
_log = logging.getLogger("sampan.api.admission")


class PolicyStatus:
    """`start` checks what is there and follows changes from then on."""

    def __init__(self, writer: Writer, cache: WatchCache, kinds: Kinds) -> None:
        self._writer = writer
        self._cache = cache
        self._kinds = kinds
        self._queue = WorkQueue[str]()
        self._task: asyncio.Task[None] | None = None
        cache.on_event(self._note, VALIDATING_ADMISSION_POLICIES)

    def start(self) -> None:
        for stored in self._cache.of(VALIDATING_ADMISSION_POLICIES).select(Selection()):
            self._queue.add(stored.key)
        self._task = asyncio.create_task(self._queue.work(self._try), name="policy status")

    async def close(self) -> None:
        self._queue.close()
        await tasks.end(self._task)
        self._task = None

    def _note(self, _kind: Kind, event: CacheEvent) -> None:
        if event.new is not None:
            self._queue.add(event.new.key)

    async def _try(self, key: str) -> None:
        try:
            await self._settle(key)
        except (Refused, StoreError, msgspec.ValidationError) as error:
            _log.warning("the status of the policy %s: %s; it is tried again", key, error)
            self._queue.add_after(key, _RETRY_SECONDS)

    async def _settle(self, key: str) -> None:
        """A policy whose newest version has been checked is left alone."""
        stored = self._cache.of(VALIDATING_ADMISSION_POLICIES).get(key)
        if stored is None or _is_checked(stored.decoded()):
            return
        check = TypeCheck(decode_policy(stored.data), self._kinds)
        warnings: list[Object] = []
        for field, text in check.expressions:
            warning = check.warning(field, text)
            if warning is not None:
                warnings.append(warning)
            # Each may be compiled for several kinds: others get their turn in between.
            await asyncio.sleep(0)
        checked = {"expressionWarnings": warnings} if warnings else {}
        generation = stored.decoded()["metadata"].get("generation", 0)

        def change(current: StoredObject) -> Object:
            tree = current.decoded()
            tree["status"] = {
                **(tree.get("status") or {}),
                "observedGeneration": generation,
                "typeChecking": checked,
            }
            return tree

        kind = self._kinds.of(VALIDATING_ADMISSION_POLICIES)
        await self._writer.transform(kind, key, change)


def _is_checked(policy: Object) -> bool:
    now = policy.get("status") or {}
    seen = now.get("observedGeneration", 0)
    return "typeChecking" in now and bool(seen >= policy["metadata"].get("generation", 0))
