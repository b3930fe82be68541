"""A store in one SQLite file: durable before it is acknowledged, history until compaction.

Theory: all state is touched on the event loop alone; writing is `sqlite_commit`'s. Reads go
through a second connection on the loop, a short page at a time, bounded by revisions that are
already published. A value whose checksum is wrong is set aside as if its key were absent, and
reported; a watch that meets one in the history has to start again from a list.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self

from sampan.store import sqlite_file, sqlite_history
from sampan.store.contract import Change, Compacted, Damaged, Entry, FutureRevision, Range
from sampan.store.decision import Write, entry_of
from sampan.store.envelope import PLAIN, BadEnvelope, Envelopes
from sampan.store.fanout import DEFAULT_CAPACITY, Fanout, Watch
from sampan.store.sqlite_commit import GroupCommit

# What is written once is often written again soon: a pod is bound, then started, then ready.
_RECENT_ENTRIES = 256
_LARGEST_RECENT_VALUE = 16 * 1024

_log = logging.getLogger("sampan.store")


class SqliteStore:
    """`contract.Store` over one file. Made by `open`; one process owns a file at a time."""

    is_shared = False

    def __init__(
        self,
        *,
        lock: int,
        connections: tuple[sqlite3.Connection, sqlite3.Connection],
        thread: ThreadPoolExecutor,
        newest: sqlite_history.Newest,
        envelopes: Envelopes,
        watch_capacity: int,
    ) -> None:
        """`connections` are the one that writes and the one that reads."""
        self._lock = lock
        self._writer, self._reader = connections
        self._thread = thread
        self._revision = newest.revision
        self._oldest = newest.oldest
        self._revisions = newest.revisions
        self._recent: dict[bytes, Entry] = {}
        self._envelopes = envelopes
        self._quarantined: dict[bytes, int] = {}
        self._fanout = Fanout(watch_capacity)
        self._commit = GroupCommit(
            self._writer,
            thread,
            envelopes,
            revision=newest.revision,
            lookup=self._lookup,
            committed=self._publish,
        )

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        envelopes: Envelopes = PLAIN,
        watch_capacity: int = DEFAULT_CAPACITY,
    ) -> Self:
        """Open or make the store at `path`.

        Raises AlreadyOpen, UnknownFormat, Damaged, OSError.
        """
        lock = sqlite_file.take_ownership(path)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, lock)
            undo.callback(thread.shutdown)
            with _readable(f"open {path}"):
                writer = await loop.run_in_executor(thread, sqlite_file.connect_writer, path)
                undo.callback(writer.close)
                newest = await loop.run_in_executor(thread, sqlite_history.read_newest, writer)
                reader = sqlite_file.connect_reader(path)
            undo.pop_all()
        return cls(
            lock=lock,
            connections=(writer, reader),
            thread=thread,
            newest=newest,
            envelopes=envelopes,
            watch_capacity=watch_capacity,
        )

    @property
    def quarantined(self) -> dict[bytes, int]:
        """Keys whose stored value was found damaged, and the revision of that value."""
        return dict(self._quarantined)

    async def revision(self) -> int:
        return self._revision

    async def get(self, key: bytes) -> Entry | None:
        return self._lookup(key)

    async def range(
        self, prefix: bytes, *, after: bytes = b"", limit: int = 0, revision: int = 0
    ) -> Range:
        while True:
            try:
                return await self._range(prefix, after, limit, revision or self._revision)
            except Compacted:
                # A read of "now" that a compaction overtook is simply read again.
                if revision:
                    raise

    async def put(self, key: bytes, value: bytes, *, expected: int | None = None) -> Entry:
        change = await self._commit.write(Write(key, value, expected))
        assert change is not None
        return Entry(key, value, change.revision, change.created)

    async def delete(self, key: bytes, *, expected: int | None = None) -> Change | None:
        return await self._commit.write(Write(key, None, expected))

    def watch(self, prefix: bytes, *, after: int) -> Watch:
        return self._fanout.subscribe(prefix, after, self._revision, self._replay)

    async def compact(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevision(f"revision {revision} is not committed")
        if revision > self._oldest:
            await self._commit.run(partial(sqlite_file.begin_compaction, revision=revision))
            self._oldest = revision
        # Row by row behind the readers' backs, in steps between which writes go on.
        while await self._commit.run(sqlite_file.clean_compacted):
            pass

    def problem(self) -> str:
        return self._commit.problem

    async def close(self) -> None:
        self._fanout.close()
        await self._commit.close()
        self._reader.close()
        self._writer.close()
        self._thread.shutdown()
        os.close(self._lock)

    async def _range(self, prefix: bytes, after: bytes, limit: int, at: int) -> Range:
        if at > self._revision:
            raise FutureRevision(f"revision {at} is not committed, the newest is {self._revision}")
        entries: list[Entry] = []
        position: bytes | None = after
        while position is not None:
            if at < self._oldest:
                raise Compacted(at, self._oldest)
            if limit and len(entries) > limit:
                return Range(tuple(entries[:limit]), at, more=True)
            with _readable("read a range"):
                wanted = limit + 1 - len(entries) if limit else 0
                page = sqlite_history.read_range(
                    self._reader,
                    self._envelopes,
                    prefix,
                    after=position,
                    revision=at,
                    limit=wanted,
                )
            entries += page.entries
            position = page.last
            for key, written in page.damaged.items():
                self._set_aside(key, written)
            await asyncio.sleep(0)
        return Range(tuple(entries), at)

    def _lookup(self, key: bytes) -> Entry | None:
        revision = self._revisions.get(key)
        if revision is None:
            return None
        recent = self._recent.get(key)
        if recent is not None:
            return recent
        try:
            with _readable("read a value"):
                return sqlite_history.read_entry(self._reader, self._envelopes, key, revision)
        except BadEnvelope:
            self._set_aside(key, revision)
            return None

    def _publish(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            if change.value is None:
                self._revisions.pop(change.key, None)
            else:
                self._revisions[change.key] = change.revision
            self._remember(change)
        self._revision = changes[-1].revision
        self._fanout.publish(changes)

    def _remember(self, change: Change) -> None:
        """Keep the newest entries at hand, so that their next writes need not read the file."""
        self._recent.pop(change.key, None)
        entry = entry_of(change)
        if entry is not None and len(entry.value) <= _LARGEST_RECENT_VALUE:
            self._recent[change.key] = entry
            if len(self._recent) > _RECENT_ENTRIES:
                del self._recent[next(iter(self._recent))]

    def _set_aside(self, key: bytes, revision: int) -> None:
        if self._revisions.get(key) == revision:
            del self._revisions[key]
            self._recent.pop(key, None)
        if self._quarantined.get(key) != revision:
            self._quarantined[key] = revision
            _log.error(
                "a stored value is damaged and set aside",
                extra={"key": key.decode(errors="replace"), "revision": revision},
            )

    async def _replay(
        self, prefix: bytes, after: int, until: int
    ) -> AsyncGenerator[tuple[Change, ...], None]:
        while after < until:
            if after < self._oldest:
                raise Compacted(after, self._oldest)
            try:
                with _readable("read the history"):
                    page, after = sqlite_history.read_history(
                        self._reader, self._envelopes, prefix, after, until
                    )
            except BadEnvelope as error:
                _log.error("the history is damaged", extra={"reason": str(error)})
                raise Compacted(after, until) from error
            yield page


@contextlib.contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Damaged(f"can't {what}: {error}") from error
