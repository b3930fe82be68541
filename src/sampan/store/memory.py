"""A store in memory: everything the contract says but durability.

For scenarios and tests. Knows no files.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncGenerator

from sampan.store.contract import (
    Change,
    Compacted,
    Entry,
    FutureRevision,
    Range,
    Unavailable,
)
from sampan.store.decision import Write, decide, entry_of, prefix_end
from sampan.store.fanout import DEFAULT_CAPACITY, Fanout, Watch

_PAGE = 1000


class MemoryStore:
    """`contract.Store` over dicts. Each write is committed by the time `put` returns."""

    is_shared = False

    def __init__(self, *, watch_capacity: int = DEFAULT_CAPACITY) -> None:
        self._revision = 0
        self._oldest = 0
        self._keys: list[bytes] = []
        self._versions: dict[bytes, list[Change]] = {}
        self._log: list[Change] = []
        self._fanout = Fanout(watch_capacity)
        self._closed = False

    async def revision(self) -> int:
        return self._revision

    async def get(self, key: bytes) -> Entry | None:
        return self._entry(key, self._revision)

    async def range(
        self, prefix: bytes, *, after: bytes = b"", limit: int = 0, revision: int = 0
    ) -> Range:
        at = revision or self._revision
        if at > self._revision:
            raise FutureRevision(f"revision {at} is not committed, the newest is {self._revision}")
        if at < self._oldest:
            raise Compacted(at, self._oldest)
        first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        end = prefix_end(prefix)
        last = len(self._keys) if end is None else bisect_left(self._keys, end)
        entries: list[Entry] = []
        for position in range(first, last):
            entry = self._entry(self._keys[position], at)
            if entry is None:
                continue
            if limit and len(entries) == limit:
                return Range(tuple(entries), at, more=True)
            entries.append(entry)
        return Range(tuple(entries), at)

    async def put(self, key: bytes, value: bytes, *, expected: int | None = None) -> Entry:
        change = self._commit(Write(key, value, expected))
        assert change is not None
        return Entry(key, value, change.revision, change.created)

    async def delete(self, key: bytes, *, expected: int | None = None) -> Change | None:
        return self._commit(Write(key, None, expected))

    def watch(self, prefix: bytes, *, after: int) -> Watch:
        return self._fanout.subscribe(prefix, after, self._revision, self._replay)

    async def compact(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevision(f"revision {revision} is not committed")
        if revision <= self._oldest:
            return
        self._oldest = revision
        forgotten = bisect_right(self._log, revision, key=_revision_of)
        for key in {change.key for change in self._log[:forgotten]}:
            self._forget_versions(key, revision)
        del self._log[:forgotten]

    def problem(self) -> str:
        return "the store is closed" if self._closed else ""

    async def close(self) -> None:
        self._closed = True
        self._fanout.close()

    def _commit(self, write: Write) -> Change | None:
        if self._closed:
            raise Unavailable("the store is closed")
        change = decide(write, self._entry(write.key, self._revision), self._revision + 1)
        if change is None:
            return None
        self._revision = change.revision
        versions = self._versions.get(write.key)
        if versions is None:
            insort(self._keys, write.key)
            versions = self._versions[write.key] = []
        versions.append(change)
        self._log.append(change)
        self._fanout.publish((change,))
        return change

    def _entry(self, key: bytes, at: int) -> Entry | None:
        for change in reversed(self._versions.get(key, ())):
            if change.revision <= at:
                return entry_of(change)
        return None

    def _forget_versions(self, key: bytes, revision: int) -> None:
        versions = self._versions.get(key, [])
        newest = bisect_right(versions, revision, key=_revision_of) - 1
        keep = versions[newest:] if versions[newest].value is not None else versions[newest + 1 :]
        if keep:
            self._versions[key] = keep
        else:
            del self._versions[key]
            del self._keys[bisect_left(self._keys, key)]

    async def _replay(
        self, prefix: bytes, after: int, until: int
    ) -> AsyncGenerator[tuple[Change, ...], None]:
        while after < until:
            if after < self._oldest:
                raise Compacted(after, self._oldest)
            first = bisect_right(self._log, after, key=_revision_of)
            last = bisect_right(self._log, until, key=_revision_of)
            page = self._log[first : min(last, first + _PAGE)]
            after = page[-1].revision if page else until
            yield tuple(change for change in page if change.key.startswith(prefix))


def _revision_of(change: Change) -> int:
    return change.revision
