"""The cache of all resources, fed by one watch of the whole store.

Theory: the store is the truth and its order of revisions is the only order. One task applies
committed changes as they come; whoever wrote one waits until the cache has reached its
revision, so that every answer can be read back at once. `on_event` lets the indexes of other
stages (roles, addresses) follow without another watch. Resources come and go while it runs;
versions of a resource other than the stored one have caches that follow that one's.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from sampan.control.api.cache.resource_cache import ResourceCache
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import (
    UNREADABLE,
    CacheEvent,
    StoredObject,
    from_store,
    store_prefix,
)
from sampan.control.api.cache.version_cache import VersionCache
from sampan.foundation import tasks
from sampan.foundation.revision_waiters import RevisionWaiters
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.resource import Resource
from sampan.store.contract import Change, Compacted, Damaged, Entry, Store, StoreError

_log = logging.getLogger("sampan.api.cache")

EventCallback = Callable[[Kind, CacheEvent], None]
_SLICE = 500
_RETRY_SECONDS = 0.1


class NotServed(KeyError):
    """The resource is not served, or no longer."""


class WatchCache:
    """Every stored resource's cache, kept at one revision."""

    def __init__(self, store: Store, kinds: Iterable[Kind]) -> None:
        self._store = store
        self._kinds = tuple(kind for kind in kinds if kind.stored)
        self._by_prefix: dict[bytes, ResourceCache] = {}
        self._by_resource: dict[Resource, ResourceCache] = {}
        self._homes: dict[Resource, ResourceCache] = {}
        self._versions: dict[Resource, VersionCache] = {}
        self._followers: dict[Resource, tuple[VersionCache, ...]] = {}
        self._loading: dict[bytes, list[Change]] = {}
        self._callbacks: list[EventCallback] = []
        self._callbacks_of: dict[Resource, list[EventCallback]] = {}
        self._waiters = RevisionWaiters()
        self._task: asyncio.Task[None] | None = None
        self.revision = 0

    def of(self, resource: Resource) -> ResourceCache:
        """The cache of a served version. Raises NotServed. See `prepared`."""
        cache = self._by_resource.get(resource)
        if cache is not None:
            return cache
        version = self._versions.get(resource)
        if version is None:
            raise NotServed(resource.plural)
        return version.cache

    @property
    def resources(self) -> tuple[ResourceCache, ...]:
        """One cache for each place in the store."""
        return tuple(self._by_prefix.values())

    def home(self, place: Resource) -> ResourceCache:
        """The cache of what lies in the store, of whichever version. Raises KeyError."""
        return self._homes[place]

    async def prepared(self, resource: Resource) -> None:
        """Return once `of` gives a version all that the cache has; the stored one always has.

        Raises ConversionFailed.
        """
        version = self._versions.get(resource)
        if version is not None:
            await version.caught_up()

    def revision_of(self, resource: Resource) -> int:
        """The revision up to which `of` gives everything."""
        version = self._versions.get(resource)
        return self.revision if version is None else version.revision

    async def add(
        self,
        kinds: Sequence[Kind],
        *,
        replacing: Resource | None = None,
        switched: Callable[[], None] | None = None,
    ) -> None:
        """Serve all versions of one resource, the stored one first, while the cache runs.

        They take the place of those of `replacing`, whose watches end; `switched` is called at
        that moment, before anybody else looks.
        """
        home = kinds[0]
        prefix = store_prefix(home)
        missed = self._loading[prefix] = []
        try:
            cache = ResourceCache(home, self.revision)
            await self._load(cache)
        finally:
            del self._loading[prefix]
        retired = self._retire(replacing) if replacing is not None else ()
        self._serve(cache)
        for kind in kinds[1:]:
            self._serve_version(kind)
        for change in missed:
            self._apply_to(cache, change.key[len(prefix) :].decode(), change)
        if switched is not None:
            switched()
        for version in retired:
            await version.close()

    async def remove(self, place: Resource) -> None:
        """End the watches of a resource that is no longer served, and forget its objects."""
        for version in self._retire(place):
            await version.close()

    def _retire(self, place: Resource) -> tuple[VersionCache, ...]:
        """Let go of a resource; what is given back must be closed."""
        cache = self._homes.pop(place, None)
        if cache is None:
            return ()
        del self._by_prefix[store_prefix(cache.kind)]
        self._by_resource.pop(place, None)
        for watcher in cache.watchers:
            watcher.end()
        followers = self._followers.pop(place, ())
        for version in followers:
            self._versions.pop(version.kind.resource, None)
        return followers

    def on_event(self, callback: EventCallback, *resources: Resource) -> None:
        """Call back for each applied change of `resources` (of all, when none is named), before
        any watcher's client can act on it."""
        if not resources:
            self._callbacks.append(callback)
        for resource in resources:
            self._callbacks_of.setdefault(resource, []).append(callback)

    async def start(self) -> None:
        """Load everything, then follow."""
        self.revision = await self._store.revision()
        for kind in self._kinds:
            if kind.stored_as is None:
                cache = ResourceCache(kind, self.revision)
                await self._load(cache)
                self._serve(cache)
        for kind in self._kinds:
            if kind.stored_as is not None:
                self._serve_version(kind)
        changes = self._store.watch(b"/", after=self.revision)
        self._task = asyncio.create_task(self._follow(changes), name="watch cache")

    async def close(self) -> None:
        """End the watches and stop following the store."""
        self.end_watches()
        await tasks.end(self._task)
        self._task = None
        for version in self._versions.values():
            await version.close()

    def end_watches(self) -> None:
        """Let every open watch send what it has and end."""
        for cache in (*self.resources, *(version.cache for version in self._versions.values())):
            for watcher in cache.watchers:
                watcher.end()

    @property
    def is_following(self) -> bool:
        return self._task is not None and not self._task.done()

    async def reached(self, revision: int) -> None:
        """Return once the cache reflects a revision."""
        if self.revision < revision:
            await self._waiters.wait(revision)

    def _serve(self, cache: ResourceCache) -> None:
        kind = cache.kind
        self._by_prefix[store_prefix(kind)] = cache
        self._homes[kind.resource] = cache
        self._followers[kind.resource] = ()
        if kind.conversion is None:
            self._by_resource[kind.resource] = cache
        else:
            # What lies in the store may be of any version: even the stored one is made of it.
            self._serve_version(kind)

    def _serve_version(self, kind: Kind) -> None:
        place = kind.place
        version = VersionCache(self._homes[place], kind, lambda: self.revision)
        self._versions[kind.resource] = version
        self._followers[place] = (*self._followers[place], version)

    async def _load(self, cache: ResourceCache) -> None:
        prefix = store_prefix(cache.kind)
        objects: list[StoredObject] = []
        async for entry in self._entries(prefix, self.revision):
            key = entry.key[len(prefix) :].decode()
            try:
                objects.append(from_store(cache.kind, key, entry.value, entry.revision))
            except UNREADABLE:
                _log.exception("%s in the store can't be read; it is left out", entry.key)
        cache.load(objects)

    async def _follow(self, changes: AsyncIterator[tuple[Change, ...]]) -> None:
        while True:
            try:
                async for batch in changes:
                    for change in batch:
                        self._apply(change)
                    self._waiters.wake(self.revision)
            except (Compacted, Damaged):
                _log.exception("the store's history has a gap; everything is read again")
                await self._read_again()
            except StoreError:
                _log.exception("the store's watch ended; it is resumed")
            await asyncio.sleep(_RETRY_SECONDS)
            changes = self._store.watch(b"/", after=self.revision)

    async def _read_again(self) -> None:
        """Bridge a gap in the history by the differences between then and now."""
        now = await self._store.revision()
        missed: list[Change] = []
        for cache in self.resources:
            prefix, present = store_prefix(cache.kind), set[str]()
            async for entry in self._entries(prefix, now):
                key = entry.key[len(prefix) :].decode()
                present.add(key)
                known = cache.get(key)
                if known is None or known.revision != entry.revision:
                    missed.append(
                        Change(entry.key, entry.value, entry.revision, entry.created, None)
                    )
            missed += [
                Change(prefix + stored.key.encode(), None, now, 0, None)
                for stored in cache.select(Selection())
                if stored.key not in present
            ]
        for change in sorted(missed, key=lambda it: it.revision):
            self._apply(change)
        self.revision = now
        self._waiters.wake(self.revision)

    async def _entries(self, prefix: bytes, revision: int) -> AsyncIterator[Entry]:
        """All entries under a prefix at a revision, a slice at a time."""
        after = b""
        while True:
            page = await self._store.range(prefix, after=after, limit=_SLICE, revision=revision)
            for entry in page.entries:
                yield entry
            if not page.more:
                return
            after = page.entries[-1].key
            await asyncio.sleep(0)

    def _apply(self, change: Change) -> None:
        cut = change.key.find(b"/", change.key.find(b"/", 1) + 1) + 1
        prefix = change.key[:cut]
        if prefix in self._loading:
            self._loading[prefix].append(change)
        cache = self._by_prefix.get(prefix)
        if cache is not None:
            self._apply_to(cache, change.key[cut:].decode(), change)
        self.revision = change.revision

    def _apply_to(self, cache: ResourceCache, key: str, change: Change) -> None:
        try:
            event = cache.apply(key, change.value, change.revision)
        except UNREADABLE:
            _log.exception("%s in the store can't be read; it is left out", change.key)
            return
        if event is not None:
            for version in self._followers[cache.kind.resource]:
                version.note(event)
            for callback in self._callbacks:
                callback(cache.kind, event)
            for callback in self._callbacks_of.get(cache.kind.resource, ()):
                callback(cache.kind, event)
