"""Counts what namespaces with quotas use, after every change in them, and writes the accounts.

Theory: a count of what the cache has, together with what was charged for and is about to be
stored, is the truth; the charges of admission only keep the account from being overdrawn
meanwhile. Namespaces without quotas cost nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent, StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.quota.charging import PENDING_SECONDS, Account, QuotaCharges
from sampan.control.api.quota.usage import is_in_scope, usage_of
from sampan.control.api.refusal import Refused
from sampan.foundation import tasks
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import (
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    RESOURCE_QUOTAS,
    SERVICES,
)
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.pod_resources import Amounts, added, shown
from sampan.store.contract import StoreError

GATHER_SECONDS = 0.1
RETRY_SECONDS = 1.0
FULL_SECONDS = 300.0
_OBJECTS_A_SLICE = 200
_MEASURED = (PODS, SERVICES, PERSISTENT_VOLUME_CLAIMS)

_log = logging.getLogger("sampan.api.quota")


class QuotaCounts:
    """`start` it once the cache is loaded."""

    def __init__(
        self,
        cache: WatchCache,
        kinds: Kinds,
        charges: QuotaCharges,
        account: Account,
        clock: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._kinds = kinds
        self._charges = charges
        self._account = account
        self._clock = clock
        self._stale: set[str] = set()
        self._changed = asyncio.Event()
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._task: asyncio.Task[None] | None = None
        cache.on_event(self._note)

    def start(self) -> None:
        self._mark_all()
        self._task = asyncio.create_task(self._run(), name="counting of quotas")

    async def close(self) -> None:
        for timer in self._later.values():
            timer.cancel()
        await tasks.end(self._task)
        self._task = None

    def _note(self, kind: Kind, event: CacheEvent) -> None:
        subject = event.new or event.old
        if not kind.resource.namespaced or subject is None:
            return
        if kind.resource == RESOURCE_QUOTAS:
            if event.old is None or event.new is None or _spec(event.old) != _spec(event.new):
                self._mark(subject.key.partition("/")[0])
            else:
                self._mark_later(subject.key.partition("/")[0])
        elif event.old is None or event.new is None or kind.resource in _MEASURED:
            namespace = subject.key.partition("/")[0]
            if self._cache.of(RESOURCE_QUOTAS).count(namespace):
                self._mark(namespace)

    def _mark(self, namespace: str) -> None:
        self._stale.add(namespace)
        self._changed.set()

    def _mark_later(self, namespace: str) -> None:
        """A charge whose write failed is seen once it is no longer pending."""
        if namespace not in self._later:
            pause = PENDING_SECONDS + GATHER_SECONDS
            timer = asyncio.get_running_loop().call_later(pause, self._mark_now, namespace)
            self._later[namespace] = timer

    def _mark_now(self, namespace: str) -> None:
        del self._later[namespace]
        self._mark(namespace)
        if self._charges.pending(namespace):
            self._mark_later(namespace)

    def _mark_all(self) -> None:
        for stored in self._cache.of(RESOURCE_QUOTAS).select(Selection()):
            self._mark(stored.key.partition("/")[0])

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(FULL_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                self._mark_all()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            stale, self._stale = self._stale, set()
            for namespace in sorted(stale):
                await self._count(namespace)

    async def _count(self, namespace: str) -> None:
        try:
            for stored in list(self._quotas(namespace)):
                await self._count_one(namespace, stored)
        except (Refused, StoreError) as error:
            _log.warning("the quotas of %s are counted again: %s", namespace, error)
            await asyncio.sleep(RETRY_SECONDS)
            if list(self._quotas(namespace)):
                self._mark(namespace)

    def _quotas(self, namespace: str) -> Iterable[StoredObject]:
        return self._cache.of(RESOURCE_QUOTAS).select(Selection(namespace=namespace))

    async def _count_one(self, namespace: str, stored: StoredObject) -> None:
        spec = stored.decoded().get("spec") or {}
        hard = spec.get("hard") or {}
        total: Amounts = {}
        now = self._clock()
        for kind in self._counted(hard):
            for position, found in enumerate(self._objects(kind, namespace)):
                if position % _OBJECTS_A_SLICE == _OBJECTS_A_SLICE - 1:
                    await asyncio.sleep(0)
                tree = found.decoded()
                if is_in_scope(spec, kind, tree):
                    total = added(total, usage_of(kind, tree, now))
        for kind, tree in self._charges.pending(namespace):
            if is_in_scope(spec, kind, tree):
                total = added(total, usage_of(kind, tree, now))
        used = {name: shown(name, total[name]) if name in total else "0" for name in hard}
        if (stored.decoded().get("status") or {}) != {"hard": hard, "used": used}:
            await self._account(stored.key, partial(_counted, stored.revision, hard, used))

    def _objects(self, kind: Kind, namespace: str) -> list[StoredObject]:
        return list(self._cache.of(kind.resource).select(Selection(namespace=namespace)))

    def _counted(self, hard: Iterable[str]) -> list[Kind]:
        """The kinds of whose objects something is limited, each once whatever its versions."""
        found: dict[tuple[str, str], Kind] = {}
        for kind in self._kinds:
            resource = kind.resource
            suffix = f".{resource.group}" if resource.group else ""
            is_named = any(
                name in (f"count/{resource.plural}{suffix}", resource.plural) for name in hard
            )
            if kind.stored and resource.namespaced and (is_named or resource in _MEASURED):
                found.setdefault((resource.group, resource.plural), kind)
        return list(found.values())


def _spec(stored: StoredObject) -> object:
    return stored.decoded().get("spec")


def _counted(revision: int, hard: Object, used: Object, stored: StoredObject) -> Object:
    """The quota with its account. Raises Refused (409) when it was charged meanwhile."""
    if stored.revision != revision:
        raise Refused(status.conflict(RESOURCE_QUOTAS, stored.name))
    return {**stored.decoded(), "status": {"hard": hard, "used": used}}
