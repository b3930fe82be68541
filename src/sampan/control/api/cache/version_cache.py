"""The cache of one version of a resource, made of the cache of what lies in the store.

Theory: it is filled when somebody first asks for this version, and follows from then on. Where
conversion needs no waiting, it is always in step. Where it does, changes wait in a queue until
a request or an open watch needs them, and are converted several at a time, in order; whoever
asks waits until the queue is empty. When nobody has asked for long, it is given up.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from sampan.control.api.cache.resource_cache import ResourceCache
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import (
    UNREADABLE,
    CacheEvent,
    StoredObject,
    in_version,
)
from sampan.foundation import tasks
from sampan.kubernetes.kinds.kind import ConversionFailed, Kind

LONGEST_QUEUE = 4096
_BATCH = 100
_RETRY_SECONDS = 1.0

_log = logging.getLogger("sampan.api.cache")


class VersionCache:
    """One version. `revision` gives the revision that the whole cache has reached."""

    def __init__(self, home: ResourceCache, kind: Kind, revision: Callable[[], int]) -> None:
        self.kind = kind
        self.cache = ResourceCache(kind, revision())
        self._home = home
        self._revision = revision
        self._loaded = False
        self._waiting: deque[CacheEvent] = deque()
        self._lock = asyncio.Lock()
        self._chaser: asyncio.Task[None] | None = None

    @property
    def revision(self) -> int:
        """Everything up to this revision is in the cache."""
        return self._waiting[0].revision - 1 if self._waiting else self._revision()

    def note(self, event: CacheEvent) -> None:
        """Take in a change of the stored version, now or when it is needed."""
        if not self._loaded and not self._lock.locked():
            return
        if self._loaded and not self._waiting and self._at_once(event):
            return
        self._waiting.append(event)
        if self.cache.watchers:
            self._chase()
        elif len(self._waiting) > LONGEST_QUEUE and not self._lock.locked():
            self._give_up()

    async def caught_up(self) -> None:
        """Return once the cache reflects all that the stored version's does.

        Raises ConversionFailed.
        """
        if self._loaded and not self._waiting:
            return
        async with self._lock:
            if not self._loaded:
                await self._load()
            while self._waiting:
                await self._drain()

    async def close(self) -> None:
        """End the watches and stop following."""
        for watcher in self.cache.watchers:
            watcher.end()
        await tasks.end(self._chaser)

    async def _load(self) -> None:
        self._waiting.clear()
        self.cache = ResourceCache(self.kind, self._revision())
        present = list(self._home.select(Selection()))
        made: list[StoredObject] = []
        for start in range(0, len(present), _BATCH):
            made += await self._converted(present[start : start + _BATCH])
            await asyncio.sleep(0)
        self.cache.load(made)
        self._loaded = True

    async def _drain(self) -> None:
        """Take in the first changes that wait; they stay in the queue until they are in."""
        batch = [self._waiting[index] for index in range(min(_BATCH, len(self._waiting)))]
        made = await self._converted([event.new for event in batch if event.new is not None])
        converted = {(stored.key, stored.revision): stored for stored in made}
        for event in batch:
            changed = event.new or event.old
            assert changed is not None
            new = converted.get((changed.key, event.revision)) if event.new else None
            self._waiting.popleft()
            self.cache.take(changed.key, new, event.revision)

    async def _converted(self, objects: Sequence[StoredObject]) -> list[StoredObject]:
        """What can't be read in this version is left out. Raises ConversionFailed."""
        if self.kind.conversion is None:
            made = [self._read(stored, None) for stored in objects]
        else:
            values = await self.kind.conversion.from_stored([stored.data for stored in objects])
            pairs = zip(objects, values, strict=True)
            made = [self._read(stored, value) for stored, value in pairs]
        return [stored for stored in made if stored is not None]

    def _read(self, stored: StoredObject, value: bytes | None) -> StoredObject | None:
        """The object in this version, from its converted JSON if there is any already."""
        try:
            if value is None:
                assert self.kind.from_stored is not None
                value = self.kind.from_stored(stored.data)
            return in_version(self.kind, stored, value)
        except UNREADABLE:
            place = self.kind.resource
            _log.exception("%s %s can't be read as %s", place.plural, stored.key, place.version)
            return None

    def _at_once(self, event: CacheEvent) -> bool:
        """Whether the change could be taken in without waiting."""
        changed = event.new or event.old
        assert changed is not None
        if event.new is not None and self.kind.conversion is not None:
            return False
        new = self._read(event.new, None) if event.new is not None else None
        self.cache.take(changed.key, new, event.revision)
        return True

    def _chase(self) -> None:
        if self._chaser is None or self._chaser.done():
            name = f"versions of {self.kind.resource.plural}"
            self._chaser = asyncio.create_task(self._follow(), name=name)

    async def _follow(self) -> None:
        """Keep open watches going; a failing webhook is asked again."""
        while self._waiting:
            try:
                await self.caught_up()
            except ConversionFailed as error:
                _log.warning("%s: %s; it is tried again", self.kind.resource.plural, error)
                await asyncio.sleep(_RETRY_SECONDS)

    def _give_up(self) -> None:
        """Forget all of it; the next request fills it again."""
        self._loaded = False
        self._waiting.clear()
