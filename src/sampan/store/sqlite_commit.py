"""Group commit: how queued writes become one durable statement.

Theory: writes queue up while a group is being committed; then all of them are decided in
order, each against what the ones before it leave behind, and go as one INSERT to the one
thread that owns the connection that writes. The statement is its own transaction and one call
without the interpreter's lock, fsync included. Only when it is back are its changes told and
its writers answered; if it failed, nothing happened. An answer that hangs on an earlier write
of the same group (a conflict with it) waits for that commit too. Where several write at once,
a group gathers for a moment, for a commit costs as much as the work of two or three requests;
who writes alone never waits.

The journal is written back into the file when nobody writes, or when it has grown long.
Knows nothing of reading and of watches: the current entries come from `lookup`.
"""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from sampan.store import sqlite_file
from sampan.store.contract import Change, Entry, StoreError, Unavailable
from sampan.store.decision import Write, decide, entry_of
from sampan.store.envelope import Envelopes

_LARGEST_GROUP = 64
_GATHER_SECONDS = 0.001
_QUIET_SECONDS = 0.2
_JOURNAL_WORTH_WRITING_BACK = 1024 * 1024
# Writing it back holds commits up for about a millisecond a megabyte: seldom under load.
_LONG_JOURNAL = 64 * 1024 * 1024
_ROW_OVERHEAD = 200

_INSERT = "INSERT INTO change (revision, key, created, previous, value) VALUES "
_ROW = "(?,?,?,?,?)"

_log = logging.getLogger("sampan.store")
_Result = TypeVar("_Result")
Outcome = Change | StoreError | None


class _Waiting(msgspec.Struct, frozen=True):
    write: Write
    answer: "asyncio.Future[Change | None]"


class GroupCommit:
    """The writing half of an SQLite store; every method runs on the event loop."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        thread: ThreadPoolExecutor,
        envelopes: Envelopes,
        *,
        revision: int,
        lookup: Callable[[bytes], Entry | None],
        committed: Callable[[tuple[Change, ...]], None],
    ) -> None:
        """`lookup` gives a key's committed entry; `committed` is told of each durable group.

        `problem` tells why the last group failed.
        """
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._thread = thread
        self.envelopes = envelopes
        self._revision = revision
        self._lookup = lookup
        self._committed = committed
        self._queue: deque[_Waiting] = deque()
        self._drain: asyncio.Task[None] | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self._last_commit = 0.0
        self._journal = 0
        self.problem = ""
        self._closed = False

    async def write(self, write: Write) -> Change | None:
        """The change that was committed, None for a deletion of nothing.

        Raises Conflict, Unavailable.
        """
        if self._closed:
            raise Unavailable("the store is closed")
        waiting = _Waiting(write, self._loop.create_future())
        self._queue.append(waiting)
        if self._drain is None:
            self._drain = self._loop.create_task(self._commit_queue())
        return await waiting.answer

    async def run(self, job: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Do `job` between two groups. Raises Unavailable when SQLite fails."""
        if self._closed:
            raise Unavailable("the store is closed")
        try:
            return await self._loop.run_in_executor(self._thread, job, self._connection)
        except sqlite3.Error as error:
            raise Unavailable(f"the store can't write: {error}") from error

    async def close(self) -> None:
        """Commit what is queued, take no more, write the journal back."""
        self._closed = True
        if self._quiet is not None:
            self._quiet.cancel()
        if self._drain is not None:
            await self._drain
        await self._write_back()

    async def _commit_queue(self) -> None:
        size = 0
        try:
            while self._queue:
                if 1 < size < _LARGEST_GROUP:
                    await asyncio.sleep(_GATHER_SECONDS)
                size = min(len(self._queue), _LARGEST_GROUP)
                await self._commit_group([self._queue.popleft() for _ in range(size)])
                if self._journal > _LONG_JOURNAL:
                    await self._write_back()
        finally:
            self._drain = None
        if self._quiet is None and not self._closed:
            self._quiet = self._loop.call_later(_QUIET_SECONDS, self._when_quiet)

    async def _commit_group(self, group: list[_Waiting]) -> None:
        outcomes: list[Outcome] = [Unavailable("the store stopped")] * len(group)
        try:
            decided, changes = decide_group(
                [waiting.write for waiting in group], self._lookup, self._revision
            )
            failure = await self._insert(changes) if changes else None
            outcomes = decided if failure is None else [failure] * len(group)
            if changes and failure is None:
                self._revision += len(changes)
                self._committed(tuple(changes))
        finally:
            for waiting, outcome in zip(group, outcomes, strict=True):
                _answer(waiting.answer, outcome)

    async def _insert(self, changes: list[Change]) -> Unavailable | None:
        statement, parameters, size = insert_statement(changes, self.envelopes)
        try:
            await self._loop.run_in_executor(
                self._thread, self._connection.execute, statement, parameters
            )
        except sqlite3.Error as error:
            if not self.problem:
                _log.error("the store can't write", extra={"reason": str(error)})
            self.problem = f"the store can't write: {error}"
            return Unavailable(self.problem)
        if self.problem:
            _log.warning("the store writes again")
        self.problem = ""
        self._journal += size
        self._last_commit = self._loop.time()
        return None

    def _when_quiet(self) -> None:
        self._quiet = None
        if self._drain is not None or self._journal < _JOURNAL_WORTH_WRITING_BACK:
            return
        rest = self._last_commit + _QUIET_SECONDS - self._loop.time()
        if rest > 0:
            self._quiet = self._loop.call_later(rest, self._when_quiet)
        else:
            # It takes the place of a commit, so that what is written meanwhile waits for it.
            self._drain = self._loop.create_task(self._write_back_when_quiet())

    async def _write_back_when_quiet(self) -> None:
        await self._write_back()
        await self._commit_queue()

    async def _write_back(self) -> None:
        self._journal = 0
        try:
            await self._loop.run_in_executor(
                self._thread, sqlite_file.write_back_journal, self._connection
            )
        except sqlite3.Error as error:
            # Nothing is lost: the journal holds it, and the next attempt comes.
            _log.warning("the journal was not written back", extra={"reason": str(error)})


def decide_group(
    writes: list[Write], lookup: Callable[[bytes], Entry | None], revision: int
) -> tuple[list[Outcome], list[Change]]:
    """What each write comes to, in order, and the changes to commit after `revision`."""
    overlay: dict[bytes, Entry | None] = {}
    outcomes: list[Outcome] = []
    changes: list[Change] = []
    for write in writes:
        key = write.key
        try:
            current = overlay[key] if key in overlay else lookup(key)
            change = decide(write, current, revision + len(changes) + 1)
        except StoreError as error:
            outcomes.append(error)
            continue
        outcomes.append(change)
        if change is not None:
            overlay[key] = entry_of(change)
            changes.append(change)
    return outcomes, changes


def insert_statement(
    changes: list[Change], envelopes: Envelopes
) -> tuple[str, list[bytes | int | None], int]:
    """One statement for all changes, its parameters, and about how many bytes it writes."""
    parameters: list[bytes | int | None] = []
    size = 0
    for change in changes:
        stored = None if change.value is None else envelopes.seal(change.key, change.value)
        previous = 0 if change.previous is None else change.previous.revision
        parameters += (change.revision, change.key, change.created, previous, stored)
        size += _ROW_OVERHEAD + len(change.key) + len(stored or b"")
    statement = _INSERT + ",".join([_ROW] * len(changes))
    return statement, parameters, size


def _answer(answer: "asyncio.Future[Change | None]", outcome: Outcome) -> None:
    if answer.done():
        return
    if isinstance(outcome, StoreError):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
