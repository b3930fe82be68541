"""A store whose revisions are counted from when it was opened.

A cluster that several tests use is at some revision when each begins; one suite for all stores
wants every story to begin at zero.
"""

from collections.abc import AsyncIterator
from typing import Any

from sampan.store.contract import Change, Compacted, Conflict, Entry, Range, Store


class RelativeStore:
    """`contract.Store` over another one, `base` revisions lower."""

    def __init__(self, store: Store, base: int) -> None:
        self.is_shared = store.is_shared
        self._store = store
        self._base = base

    async def revision(self) -> int:
        return await self._store.revision() - self._base

    async def get(self, key: bytes) -> Entry | None:
        return self._entry(await self._store.get(key))

    async def range(
        self, prefix: bytes, *, after: bytes = b"", limit: int = 0, revision: int = 0
    ) -> Range:
        at = revision + self._base if revision else 0
        try:
            found = await self._store.range(prefix, after=after, limit=limit, revision=at)
        except Compacted as error:
            raise self._compacted(error) from error
        entries = tuple(entry for entry in map(self._entry, found.entries) if entry)
        return Range(entries, found.revision - self._base, found.more)

    async def put(self, key: bytes, value: bytes, *, expected: int | None = None) -> Entry:
        try:
            entry = self._entry(
                await self._store.put(key, value, expected=self._expected(expected))
            )
        except Conflict as error:
            raise Conflict(key, self._entry(error.current)) from error
        assert entry is not None
        return entry

    async def delete(self, key: bytes, *, expected: int | None = None) -> Change | None:
        try:
            change = await self._store.delete(key, expected=self._expected(expected))
        except Conflict as error:
            raise Conflict(key, self._entry(error.current)) from error
        return None if change is None else self._change(change)

    def watch(self, prefix: bytes, *, after: int) -> "_RelativeWatch":
        return _RelativeWatch(self, self._store.watch(prefix, after=after + self._base))

    async def compact(self, revision: int) -> None:
        await self._store.compact(revision + self._base)

    async def close(self) -> None:
        await self._store.close()

    def _expected(self, expected: int | None) -> int | None:
        return expected + self._base if expected else expected

    def _entry(self, entry: Entry | None) -> Entry | None:
        if entry is None:
            return None
        base = self._base
        return Entry(entry.key, entry.value, entry.revision - base, entry.created - base)

    def _change(self, change: Change) -> Change:
        base = self._base
        return Change(
            change.key,
            change.value,
            change.revision - base,
            change.created - base,
            self._entry(change.previous),
        )

    def _compacted(self, error: Compacted) -> Compacted:
        return Compacted(error.requested - self._base, error.oldest - self._base)


class _RelativeWatch(AsyncIterator[tuple[Change, ...]]):
    def __init__(self, store: RelativeStore, watch: Any) -> None:
        self._store = store
        self._watch = watch

    async def __anext__(self) -> tuple[Change, ...]:
        try:
            changes = await anext(self._watch)
        except Compacted as error:
            raise self._store._compacted(error) from error
        return tuple(map(self._store._change, changes))

    async def aclose(self) -> None:
        await self._watch.aclose()
