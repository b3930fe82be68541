"""The store's file: its owner, its tables, and how an older file becomes a newer one.

Theory: `change` is a log. Each committed write is one row whose primary key is its revision,
so a group of writes is one INSERT statement, committed by itself. `previous` is the revision
that a row replaced (0 for none); a deletion has no value. `progress` holds one row: `oldest`,
the revision of the last compaction, and `cleaned`, how far its rows are really gone.
Knows nothing of the loop, of watches and of groups.
"""

import fcntl
import os
import sqlite3
from pathlib import Path

from sampan.store.contract import StoreError

_APPLICATION = 0x53414D50
_MIGRATIONS = (
    """
    CREATE TABLE change (
        revision INTEGER PRIMARY KEY,
        key BLOB NOT NULL,
        created INTEGER NOT NULL,
        previous INTEGER NOT NULL,
        value BLOB
    );
    CREATE INDEX change_key ON change (key);
    CREATE INDEX change_deletion ON change (revision) WHERE value IS NULL;
    CREATE TABLE progress (oldest INTEGER NOT NULL, cleaned INTEGER NOT NULL);
    INSERT INTO progress VALUES (0, 0);
    """,
)
# A journal that grew under load is cut back to this when it is used anew.
_JOURNAL_LIMIT = 16 * 1024 * 1024
_COMPACTION_STEP = 1000


class AlreadyOpen(StoreError):
    """Another process owns the store's folder."""


class UnknownFormat(StoreError):
    """The file is not a store, or one that a newer Sampan wrote."""


def take_ownership(path: Path) -> int:
    """Lock the store at `path` for this process until the descriptor given back is closed.

    Makes the folder (mode 700) and the file (mode 600). Raises AlreadyOpen, OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    lock = path.with_name(path.name + ".lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # SQLite would make the file with the umask's mode; its journal takes the file's mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except BlockingIOError as error:
        os.close(descriptor)
        raise AlreadyOpen(f"{path} is in use by another process") from error
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes and checkpoints, its tables up to date.

    Raises UnknownFormat, sqlite3.Error.
    """
    connection = _connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT}")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that reads only. Raises sqlite3.Error."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def write_back_journal(connection: sqlite3.Connection) -> None:
    """Move what the journal holds into the file, as far as no reader needs it there.

    Raises sqlite3.Error.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def begin_compaction(connection: sqlite3.Connection, revision: int) -> None:
    """Record that what was replaced before `revision` may go. Raises sqlite3.Error."""
    connection.execute("UPDATE progress SET oldest = ?", (revision,))


def clean_compacted(connection: sqlite3.Connection) -> bool:
    """Remove the next step of compacted rows; whether more are left. Raises sqlite3.Error.

    A crash between two steps loses nothing: the next compaction goes on where this one ended.
    """
    oldest, cleaned = connection.execute("SELECT oldest, cleaned FROM progress").fetchone()
    until = min(cleaned + _COMPACTION_STEP, oldest)
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "DELETE FROM change WHERE revision IN (SELECT previous FROM change"
            " WHERE revision > ? AND revision <= ? AND previous > 0)",
            (cleaned, until),
        )
        connection.execute(
            "DELETE FROM change WHERE revision > ? AND revision <= ? AND value IS NULL",
            (cleaned, until),
        )
        connection.execute("UPDATE progress SET cleaned = ?", (until,))
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return bool(until < oldest)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != _APPLICATION and (application or version or tables):
        raise UnknownFormat(f"{path} is an SQLite file, but not a store of Sampan's")
    if version > len(_MIGRATIONS):
        raise UnknownFormat(
            f"{path} has format {version}, and this Sampan knows only up to {len(_MIGRATIONS)}; "
            "start the newer Sampan that wrote it"
        )
    for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN; {script} PRAGMA application_id = {_APPLICATION};"
            f" PRAGMA user_version = {number}; COMMIT;"
        )
