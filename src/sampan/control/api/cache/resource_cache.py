"""All objects of one resource: current versions with their indexes, and a window of history.

Theory: `apply` is the only way in, called in the order of revisions. Lists and watches read
what is there between two calls, so they always see a whole state. The window holds the last
changes, bounded in number and bytes; `floor` is the oldest revision whose every later change
is still in it, so that the state at any revision from there on can be told.
"""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent, StoredObject, from_store
from sampan.control.api.cache.watcher import Watcher
from sampan.kubernetes.kinds.kind import Kind

WINDOW_EVENTS = 4096
WINDOW_BYTES = 8 * 1024 * 1024
# These two are looked up by key; an index would only repeat the keys.
_KEY_FIELDS = frozenset(("metadata.name", "metadata.namespace"))

_Pair = tuple[str, str]


class TooOld(Exception):
    """The revision asked for has left the window."""


class ResourceCache:
    """The objects of one kind."""

    def __init__(self, kind: Kind, revision: int) -> None:
        self.kind = kind
        self.floor = revision
        self.last_change = revision
        self._objects: dict[str, StoredObject] = {}
        self._keys: list[str] = []
        self._labels: dict[_Pair, dict[str, None]] = {}
        self._fields: dict[_Pair, dict[str, None]] = {}
        self._window: deque[CacheEvent] = deque()
        self._window_bytes = 0
        self._watchers: dict[Watcher, None] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: str) -> StoredObject | None:
        return self._objects.get(key)

    def load(self, objects: Iterable[StoredObject]) -> None:
        """Fill an empty cache from the store, without events."""
        for stored in objects:
            self._objects[stored.key] = stored
            self._index(stored)
        self._keys = sorted(self._objects)

    def apply(self, key: str, value: bytes | None, revision: int) -> CacheEvent | None:
        """Take in a committed change and hand it to the watchers."""
        new = None if value is None else from_store(self.kind, key, value, revision)
        return self.take(key, new, revision)

    def take(self, key: str, new: StoredObject | None, revision: int) -> CacheEvent | None:
        """The same with the new version read already."""
        old = self._objects.get(key)
        if old is None and new is None:
            return None
        event = CacheEvent(revision, old, new, {})
        self._replace(key, old, new)
        self._remember(event)
        self.last_change = revision
        for watcher in tuple(self._watchers):
            watcher.deliver(event)
        return event

    def select(self, selection: Selection, *, after: str = "") -> Iterator[StoredObject]:
        """Matching objects in the order of keys, beginning after the key `after`."""
        found = map(self._objects.__getitem__, self._candidates(selection, after))
        return found if selection.is_everything else filter(selection.matches, found)

    def select_at(
        self, selection: Selection, revision: int, *, after: str = ""
    ) -> Iterator[StoredObject]:
        """The same as of an earlier revision. Raises TooOld."""
        if revision < self.floor:
            raise TooOld
        if revision >= self.last_change:
            return self.select(selection, after=after)
        return self._select_past(selection, revision, after)

    def count(self, namespace: str, after: str = "") -> int:
        """How many objects of a namespace ("" for all) have keys greater than `after`."""
        if not self._keys:
            return 0
        first, last = self._slice(namespace, after)
        return max(0, last - first)

    def events_after(self, revision: int) -> list[CacheEvent]:
        """All changes after a revision. Raises TooOld."""
        if revision < self.floor:
            raise TooOld
        newer: list[CacheEvent] = []
        for event in reversed(self._window):
            if event.revision <= revision:
                break
            newer.append(event)
        newer.reverse()
        return newer

    def add_watcher(self, watcher: Watcher) -> None:
        self._watchers[watcher] = None

    def remove_watcher(self, watcher: Watcher) -> None:
        self._watchers.pop(watcher, None)

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        return tuple(self._watchers)

    def _select_past(
        self, selection: Selection, revision: int, after: str
    ) -> Iterator[StoredObject]:
        past: dict[str, StoredObject | None] = {}
        for event in reversed(self.events_after(revision)):
            changed = event.old or event.new
            assert changed is not None
            past[changed.key] = event.old
        for key in sorted(past.keys() | self._objects.keys()):
            if key <= after:
                continue
            stored = past[key] if key in past else self._objects[key]
            if stored is not None and selection.matches(stored):
                yield stored

    def _replace(self, key: str, old: StoredObject | None, new: StoredObject | None) -> None:
        if old is not None and new is not None:
            self._objects[key] = new
            if old.labels != new.labels or old.fields != new.fields:
                self._unindex(old)
                self._index(new)
        elif new is not None:
            self._objects[key] = new
            insort(self._keys, key)
            self._index(new)
        elif old is not None:
            del self._objects[key]
            del self._keys[bisect_left(self._keys, key)]
            self._unindex(old)

    def _remember(self, event: CacheEvent) -> None:
        self._window.append(event)
        self._window_bytes += event.size
        while len(self._window) > WINDOW_EVENTS or self._window_bytes > WINDOW_BYTES:
            forgotten = self._window.popleft()
            self._window_bytes -= forgotten.size
            self.floor = forgotten.revision

    def _slice(self, namespace: str, after: str) -> tuple[int, int]:
        """The positions in `_keys` of a namespace's keys greater than `after`."""
        keys = self._keys
        first = bisect_right(keys, after) if after else 0
        if not namespace:
            return first, len(keys)
        # "0" is the character that follows "/".
        start, end = bisect_left(keys, namespace + "/"), bisect_left(keys, namespace + "0")
        return max(first, start), end

    def _candidates(self, selection: Selection, after: str) -> Iterable[str]:
        indexed = self._indexed(selection)
        if indexed is None:
            first, last = self._slice(selection.namespace, after)
            return self._keys[first:last]
        return sorted(key for key in indexed if key > after)

    def _indexed(self, selection: Selection) -> Iterable[str] | None:
        """The fewest keys among which every match must be; None when no index applies."""
        found = [self._labels.get(pair, {}) for pair in selection.labels.equalities]
        names: dict[str, str] = {}
        for field, value in selection.fields.equalities:
            if field in _KEY_FIELDS:
                names[field] = value
            else:
                found.append(self._fields.get((field, value), {}))
        if "metadata.name" in names:
            namespace = names.get("metadata.namespace", selection.namespace)
            if namespace or not self.kind.resource.namespaced:
                key = f"{namespace}/{names['metadata.name']}"
                return (key,) if key in self._objects else ()
        return min(found, key=len) if found else None

    def _index(self, stored: StoredObject) -> None:
        for pair in stored.labels.items():
            self._labels.setdefault(pair, {})[stored.key] = None
        for pair in stored.fields.items():
            if pair[0] not in _KEY_FIELDS:
                self._fields.setdefault(pair, {})[stored.key] = None

    def _unindex(self, stored: StoredObject) -> None:
        for index, pairs in ((self._labels, stored.labels), (self._fields, stored.fields)):
            for pair in pairs.items():
                keys = index.get(pair)
                if keys is not None:
                    keys.pop(stored.key, None)
                    if not keys:
                        del index[pair]
