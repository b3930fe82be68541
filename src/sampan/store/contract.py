"""The contract of a store: keys, bytes and revisions, and nothing of Kubernetes.

Rules that every store keeps, and that one suite (`tests/store/`) holds it to:

* A revision is a positive integer; every committed write has its own, greater than the last:
  by one, unless others write to the same cluster.
* A write is acknowledged only after it is durable, and is visible to `get`, `range` and watches
  in the order of revisions: a watch sees each revision after its start once, none skipped.
* An expectation that fails changes nothing.
* After `compact(r)`, reads and watches at revisions below `r` raise `Compacted`;
  the current version of every live key stays.
* Retrying a write whose answer was lost is safe only with an expectation.
"""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec


class StoreError(Exception):
    """The base of what a store may raise."""


class Conflict(StoreError):
    """The key is not in the expected state. `current` is its entry now, None if there is none."""

    def __init__(self, key: bytes, current: "Entry | None") -> None:
        super().__init__(f"{key!r} was changed by another writer")
        self.key = key
        self.current = current


class Compacted(StoreError):
    """The revision asked for is older than the last compaction."""

    def __init__(self, requested: int, oldest: int) -> None:
        super().__init__(f"revision {requested} is compacted, the oldest is {oldest}")
        self.requested = requested
        self.oldest = oldest


class FutureRevision(StoreError):
    """The revision asked for has not been committed yet."""


class SlowWatcher(StoreError):
    """A watch fell too far behind and was ended; start again from a list."""


class Unavailable(StoreError):
    """The store can't take writes now (disk full, no quorum); reads may go on."""


class TooLarge(StoreError):
    """The value is larger than the store takes."""


class Damaged(StoreError):
    """What is stored can't be read: more than one value, for such a one is set aside."""


class Entry(msgspec.Struct, frozen=True):
    """One version of a key: `revision` is that of its last write, `created` of its first."""

    key: bytes
    value: bytes
    revision: int
    created: int


class Range(msgspec.Struct, frozen=True):
    """Entries in key order as of `revision`; `more` tells that a limit cut the range."""

    entries: tuple[Entry, ...]
    revision: int
    more: bool = False


class Change(msgspec.Struct, frozen=True):
    """One committed write. `value` is None for a deletion; `previous` is what it replaced."""

    key: bytes
    value: bytes | None
    revision: int
    created: int
    previous: Entry | None


class Store(Protocol):
    """A durable, ordered map with history. `is_shared` tells that others may write to it, too."""

    is_shared: bool

    async def revision(self) -> int:
        """The revision of the newest committed write by whomever, which watches have been told
        of; of an empty store 0, or 1 of an empty cluster. Raises Unavailable."""

    async def get(self, key: bytes) -> Entry | None: ...

    async def range(
        self, prefix: bytes, *, after: bytes = b"", limit: int = 0, revision: int = 0
    ) -> Range:
        """Entries whose key starts with `prefix` and is greater than `after`.

        `limit` 0 means all; `revision` 0 means now. Raises Compacted, FutureRevision.
        """

    async def put(self, key: bytes, value: bytes, *, expected: int | None = None) -> Entry:
        """Write a key. `expected` is the revision it must have now: 0 for "does not exist",
        None for "whatever". Raises Conflict, Unavailable."""

    async def delete(self, key: bytes, *, expected: int | None = None) -> Change | None:
        """Remove a key; None when there was none. Raises Conflict, Unavailable."""

    def watch(self, prefix: bytes, *, after: int) -> AsyncIterator[tuple[Change, ...]]:
        """Batches of changes with revisions greater than `after`, in order, without end.

        The watch is registered when `watch` returns. Iterating raises Compacted when `after`
        is too old, SlowWatcher when the consumer is; closing the iterator ends the watch.
        """

    async def compact(self, revision: int) -> None:
        """Forget versions replaced before `revision`."""

    def problem(self) -> str:
        """What kept the last write or watch from success; empty when all is well."""

    async def close(self) -> None: ...
