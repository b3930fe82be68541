"""A store in an etcd cluster, which several servers may share.

Theory: each write is a transaction of one key that compares the revision it must have. One
watch of all keys below `root` feeds every watcher here; a writer is answered when that watch
has brought its change. `revision` is one quorum read for all who ask meanwhile, and waits until
the watch has come as far, so that whoever asks it first reads what anyone has written. Where
others write below other roots, the watch can't know of their revisions: then a write of the
store's own (the fence) brings it past them.

A value that is damaged is set aside as if its key were absent, and reported.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Self

from sampan.foundation import tasks
from sampan.store import etcd_messages as messages
from sampan.store.contract import (
    Change,
    Compacted,
    Conflict,
    Entry,
    Range,
    StoreError,
    Unavailable,
)
from sampan.store.decision import Write, prefix_end
from sampan.store.envelope import PLAIN, BadEnvelope, Envelopes
from sampan.store.etcd_cluster import (
    COMPACT,
    PAUSE_SECONDS,
    RANGE,
    TOTAL_SECONDS,
    TRANSACTION,
    CompactedAway,
    EtcdCluster,
    Unanswered,
    credentials,
)
from sampan.store.etcd_progress import Progress
from sampan.store.etcd_watch import Events, follow, oldest_revision
from sampan.store.fanout import DEFAULT_CAPACITY, Fanout, Watch
from sampan.store.quorum_read import QuorumRead

FENCE = b"/store/fence"
_FENCE_SECONDS = 1.0
_FENCE_SECONDS_WHEN_SHARED = 0.02
_FIRST_PAGE = 100
_LARGEST_PAGE = 2000
_PAGE_BYTES = 1024 * 1024
_NO_END = b"\0"

_log = logging.getLogger("sampan.store")


class EtcdStore:
    """`contract.Store` over a cluster. Made by `open`."""

    is_shared = True

    def __init__(
        self,
        cluster: EtcdCluster,
        root: bytes,
        revision: int,
        *,
        envelopes: Envelopes,
        watch_capacity: int,
    ) -> None:
        self._cluster = cluster
        self._root = root
        self._envelopes = envelopes
        self._fanout = Fanout(watch_capacity)
        self._progress = Progress(revision)
        self._quorum = QuorumRead(self._current_revision)
        self._fence_after = _FENCE_SECONDS
        self._quarantined: dict[bytes, int] = {}
        self._closed = False
        self._problem = ""
        self._task = asyncio.create_task(self._follow(), name="etcd watch")

    @classmethod
    async def open(
        cls,
        endpoints: tuple[str, ...],
        *,
        root: bytes = b"",
        authority: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        envelopes: Envelopes = PLAIN,
        watch_capacity: int = DEFAULT_CAPACITY,
    ) -> Self:
        """The store below `root` of a cluster. Raises Unavailable, OSError."""
        cluster = EtcdCluster(endpoints, credentials(authority, certificate, key))
        try:
            revision = await _newest_revision(cluster, root)
        except BaseException:
            await cluster.close()
            raise
        return cls(cluster, root, revision, envelopes=envelopes, watch_capacity=watch_capacity)

    @property
    def quarantined(self) -> dict[bytes, int]:
        """Keys whose stored value was found damaged, and the revision of that value."""
        return dict(self._quarantined)

    async def revision(self) -> int:
        return await self._quorum()

    async def get(self, key: bytes) -> Entry | None:
        data = await self._cluster.call(RANGE, messages.range_request(self._root + key))
        found = messages.range_answer(data).found
        return self._entry(found[0]) if found else None

    async def range(
        self, prefix: bytes, *, after: bytes = b"", limit: int = 0, revision: int = 0
    ) -> Range:
        start, end = self._span(prefix)
        start = max(start, self._root + after + b"\0") if after else start
        entries: list[Entry] = []
        at, size = revision, min(limit or _FIRST_PAGE, _FIRST_PAGE)
        while True:
            page = await self._page(start, end, size, at)
            at = at or page.revision
            entries += filter(None, map(self._entry, page.found))
            if limit and len(entries) >= limit:
                more = page.more or len(entries) > limit
                return Range(tuple(entries[:limit]), at, more=more)
            if not page.more:
                return Range(tuple(entries), at)
            start = page.found[-1].key + b"\0"
            size = _next_size(page)

    async def put(self, key: bytes, value: bytes, *, expected: int | None = None) -> Entry:
        change = await self._write(Write(key, value, expected))
        assert change is not None
        return Entry(key, value, change.revision, change.created)

    async def delete(self, key: bytes, *, expected: int | None = None) -> Change | None:
        return await self._write(Write(key, None, expected))

    def watch(self, prefix: bytes, *, after: int) -> Watch:
        return self._fanout.subscribe(prefix, after, self._progress.revision, self._replay)

    async def compact(self, revision: int) -> None:
        if revision <= 0:
            return
        # A compaction that another has overtaken is done.
        with contextlib.suppress(CompactedAway):
            await self._cluster.call(COMPACT, messages.compaction_request(revision))

    def problem(self) -> str:
        return self._problem

    async def close(self) -> None:
        self._closed = True
        self._fanout.close()
        await tasks.end(self._task)
        await self._cluster.close()

    async def _page(self, start: bytes, end: bytes, size: int, at: int) -> messages.RangeAnswer:
        request = messages.range_request(start, end, limit=size, revision=at)
        try:
            return messages.range_answer(await self._cluster.call(RANGE, request))
        except CompactedAway as error:
            raise Compacted(at, await oldest_revision(self._cluster)) from error

    async def _write(self, write: Write) -> Change | None:
        """Raises Conflict, Unavailable, TooLarge."""
        if self._closed:
            raise Unavailable("the store is closed")
        key, expected = self._root + write.key, write.expected
        if write.value is None:
            stored, request = None, messages.delete_request(key, expected)
        else:
            stored = self._envelopes.seal(write.key, write.value)
            request = messages.put_request(key, stored, expected)
        with self._progress.writing(write.key):
            revision = await self._committed(write, request, stored)
            if not revision:
                return None
            await self._progress.reached(revision)
            change = self._progress.landed(write.key, revision)
        return change or await self._retold(write, revision)

    async def _retold(self, write: Write, revision: int) -> Change:
        """A committed change that the watch could not bring, as far as it can still be told."""
        found = None if write.value is None else await self.get(write.key)
        created = found.created if found is not None else revision
        return Change(write.key, write.value, revision, created, None)

    async def _committed(self, write: Write, request: bytes, stored: bytes | None) -> int:
        """The revision that a transaction got; 0 for a deletion of nothing.

        An attempt without an answer may have been carried out, or may yet be. With an
        expectation at most one of several can be, and what was written tells which.
        """
        until = asyncio.get_running_loop().time() + TOTAL_SECONDS
        unanswered = False
        while True:
            try:
                data = await self._cluster.attempt(TRANSACTION, request)
                break
            except Unanswered:
                unanswered = True
                if write.expected is None or asyncio.get_running_loop().time() > until:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)
        answer = messages.transaction_answer(data)
        if answer.succeeded:
            return 0 if stored is None and not answer.deleted else answer.revision
        current = answer.current
        if unanswered and stored is None and current is None:
            raise Unavailable("the datastore can't tell who has deleted the object")
        if unanswered and current is not None and current.value == stored:
            return current.revision
        raise Conflict(write.key, None if current is None else self._entry(current))

    async def _current_revision(self) -> int:
        """A quorum's newest revision, once watches have been told of it."""
        revision = await _newest_revision(self._cluster, self._root)
        try:
            async with asyncio.timeout(self._fence_after):
                await self._progress.reached(revision)
        except TimeoutError:
            await self.put(FENCE, b"")
            # Somebody else writes to this cluster: the next wait would be in vain, too.
            self._fence_after = _FENCE_SECONDS_WHEN_SHARED
        return revision

    async def _follow(self) -> None:
        """Tell watchers of all changes, across members and gaps."""
        while True:
            try:
                async for told in self._events(self._progress.revision):
                    changes = tuple(map(self._change, told.events))
                    self._fanout.publish(changes)
                    self._progress.advance(changes, told.revision)
            except StoreError as error:
                _log.error("the datastore's watch has a gap", extra={"reason": str(error)})
                self._fanout.close(error)
                await self._pass_gap()

    async def _pass_gap(self) -> None:
        """Go on from now; who watched has been told to read everything again."""
        await asyncio.sleep(PAUSE_SECONDS)
        with contextlib.suppress(Unavailable):
            self._progress.advance((), await _newest_revision(self._cluster, self._root))

    async def _events(self, after: int) -> AsyncGenerator[Events, None]:
        """All events after a revision; broken connections are resumed. Raises Compacted."""
        start, end = self._span(b"")
        while True:
            try:
                stream = follow(self._cluster, start, end, after)
                async with contextlib.aclosing(stream) as events:
                    async for told in events:
                        self._problem = ""
                        after = max(after, told.revision)
                        yield told
            except Unavailable as error:
                if not self._problem:
                    _log.warning("the datastore's watch is cut", extra={"reason": str(error)})
                self._problem = str(error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _replay(
        self, prefix: bytes, after: int, until: int
    ) -> AsyncGenerator[tuple[Change, ...], None]:
        """What came after one revision and not after another.

        Where nothing is at `until` itself, it ends when something comes after that.
        """
        async with contextlib.aclosing(self._events(after)) as events:
            async for told in events:
                page = (self._change(event) for event in told.events)
                yield tuple(
                    change
                    for change in page
                    if change.revision <= until and change.key.startswith(prefix)
                )
                if told.revision >= until:
                    return

    def _span(self, prefix: bytes) -> tuple[bytes, bytes]:
        """The first key of a prefix and the first one after it, in etcd's terms."""
        whole = self._root + prefix
        return whole or b"\0", prefix_end(whole) or _NO_END

    def _change(self, event: messages.Event) -> Change:
        current, previous = event.current, event.previous
        before = None if previous is None else self._entry(previous)
        entry = None if event.is_deletion else self._entry(current)
        created = before.created if before is not None else current.created
        return Change(
            key=current.key[len(self._root) :],
            value=None if entry is None else entry.value,
            revision=current.revision,
            created=created if entry is None else entry.created,
            previous=before,
        )

    def _entry(self, found: messages.KeyValue) -> Entry | None:
        """None for a damaged value. Raises MissingKey."""
        key = found.key[len(self._root) :]
        try:
            value = self._envelopes.unseal(key, found.value)
        except BadEnvelope as error:
            if self._quarantined.get(key) != found.revision:
                self._quarantined[key] = found.revision
                _log.error("a stored value is damaged", extra={"reason": str(error)})
            return None
        return Entry(key, value, found.revision, found.created)


async def _newest_revision(cluster: EtcdCluster, root: bytes) -> int:
    request = messages.range_request(root + FENCE, keys_only=True)
    return messages.range_answer(await cluster.call(RANGE, request)).revision


def _next_size(page: messages.RangeAnswer) -> int:
    """As many entries as are likely to make a page of the right size."""
    average = 1 + sum(len(found.value) for found in page.found) // len(page.found)
    return max(10, min(_LARGEST_PAGE, _PAGE_BYTES // average))
