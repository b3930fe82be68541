"""The engine daemon's own records: documents by kind and identifier, in one SQLite file.

One process owns the file. What was written is on the disk when the call returns. Documents are
bytes; their owners (containers, networks, volumes) know what they say.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sampan.engine.contract import EngineError
from sampan.store.sqlite_file import AlreadyOpen, take_ownership

_VERSION = 1
_SCHEMA = """
CREATE TABLE documents (
    kind TEXT NOT NULL,
    identifier TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (kind, identifier)
) WITHOUT ROWID
"""
_Result = TypeVar("_Result")


class State:
    """Reads and writes go through one connection in one thread of its own, in their order."""

    def __init__(
        self, connection: sqlite3.Connection, thread: ThreadPoolExecutor, ownership: int
    ) -> None:
        self._connection = connection
        self._thread = thread
        self._ownership = ownership

    @classmethod
    async def open(cls, path: Path) -> "State":
        """Open or make the file. Raises EngineError for one that another process has or that
        can't be used, OSError."""
        try:
            ownership = take_ownership(path)
        except AlreadyOpen as error:
            raise EngineError(f"another engine runs: {error}") from error
        thread = ThreadPoolExecutor(1, thread_name_prefix="engine-state")
        loop = asyncio.get_running_loop()
        try:
            return cls(await loop.run_in_executor(thread, _connect, path), thread, ownership)
        except BaseException:
            thread.shutdown()
            os.close(ownership)
            raise

    async def documents(self, kind: str) -> dict[str, bytes]:
        """Every document of a kind by its identifier."""
        rows = await self._run(
            lambda: self._connection.execute(
                "SELECT identifier, document FROM documents WHERE kind = ?", (kind,)
            ).fetchall()
        )
        return dict(rows)

    async def put(self, kind: str, identifier: str, document: bytes) -> None:
        """Write a document over the one that may be there. Raises EngineError."""
        await self.write([(kind, identifier, document)])

    async def delete(self, kind: str, identifier: str) -> None:
        """Take a document away; no error if there is none. Raises EngineError."""
        await self.write([(kind, identifier, None)])

    async def write(self, changes: Iterable[tuple[str, str, bytes | None]]) -> None:
        """Several changes, all or none: `(kind, identifier, document)`, None deletes."""
        await self._run(lambda: _write(self._connection, tuple(changes)))

    async def close(self) -> None:
        await self._run(self._connection.close)
        self._thread.shutdown()
        os.close(self._ownership)

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        """A write that has begun is finished, whatever becomes of the caller."""
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.shield(loop.run_in_executor(self._thread, work))
        except sqlite3.Error as error:
            raise EngineError(f"the engine's records can't be used: {error}") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise EngineError(f"{path} was written by a newer version ({version} > {_VERSION})")
        if version < _VERSION:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.close()
        raise EngineError(f"{path} can't be used: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _write(
    connection: sqlite3.Connection, changes: tuple[tuple[str, str, bytes | None], ...]
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for kind, identifier, document in changes:
            if document is None:
                connection.execute(
                    "DELETE FROM documents WHERE kind = ? AND identifier = ?", (kind, identifier)
                )
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)",
                    (kind, identifier, document),
                )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
