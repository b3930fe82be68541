"""What the store's file says: the newest revisions, one entry, a range, a stretch of history.

Plain blocking queries over one connection, each bounded by a number of rows and bytes so
that none holds its caller long. Knows the tables, nothing of the loop and of writing.
"""

import sqlite3

import msgspec

from sampan.store.contract import Change, Entry
from sampan.store.decision import prefix_end
from sampan.store.envelope import BadEnvelope, Envelopes

_PAGE_ROWS = 100
_PAGE_BYTES = 256 * 1024

_ENTRY = "SELECT created, value FROM change WHERE revision = ?"
# The index on the key holds revisions too: rows that were replaced are skipped without a read.
_RANGE = """
    SELECT key, revision, created, value FROM change AS this
    WHERE {keys} AND revision <= ? AND value IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM change AS later
        WHERE later.key = this.key AND later.revision > this.revision AND later.revision <= ?
    ) ORDER BY key
"""
_HISTORY = """
    SELECT this.key, this.value, this.revision, this.created, this.previous, old.value, old.created
    FROM change AS this LEFT JOIN change AS old ON old.revision = this.previous
    WHERE this.revision > ? AND this.revision <= ? ORDER BY this.revision
"""


class Newest(msgspec.Struct, frozen=True):
    """Where a file stands: the last write, the last compaction, and each live key's revision."""

    revision: int
    oldest: int
    revisions: dict[bytes, int]


class RangePage(msgspec.Struct, frozen=True):
    """Entries in key order, the revisions of damaged ones, and the last key if there is more."""

    entries: list[Entry]
    damaged: dict[bytes, int]
    last: bytes | None


def read_newest(connection: sqlite3.Connection) -> Newest:
    """Read where the file stands; from indexes alone, so quickly even for large stores."""
    (oldest,) = connection.execute("SELECT oldest FROM progress").fetchone()
    (last,) = connection.execute("SELECT max(revision) FROM change").fetchone()
    deletions = {
        revision
        for (revision,) in connection.execute("SELECT revision FROM change WHERE value IS NULL")
    }
    newest = connection.execute("SELECT key, max(revision) FROM change GROUP BY key")
    revisions = {key: revision for key, revision in newest if revision not in deletions}
    return Newest(max(last or 0, oldest), oldest, revisions)


def read_entry(
    connection: sqlite3.Connection, envelopes: Envelopes, key: bytes, revision: int
) -> Entry:
    """The entry that was written at `revision`. Raises BadEnvelope, MissingKey."""
    row = connection.execute(_ENTRY, (revision,)).fetchone()
    if row is None or row[1] is None:
        raise BadEnvelope(f"the value of {key!r} is gone")
    return Entry(key, envelopes.unseal(key, row[1]), revision, row[0])


def read_range(
    connection: sqlite3.Connection,
    envelopes: Envelopes,
    prefix: bytes,
    *,
    after: bytes,
    revision: int,
    limit: int,
) -> RangePage:
    """A page of the entries as of `revision` after the key `after`; `limit` 0 means any number.

    Raises MissingKey.
    """
    rows = _rows_of_range(connection, prefix, after, revision)
    entries: list[Entry] = []
    damaged: dict[bytes, int] = {}
    most = min(limit or _PAGE_ROWS, _PAGE_ROWS)
    size = 0
    for key, written, created, stored in rows:
        try:
            entries.append(Entry(key, envelopes.unseal(key, stored), written, created))
        except BadEnvelope:
            damaged[key] = written
        size += len(stored)
        if len(entries) + len(damaged) == most or size > _PAGE_BYTES:
            rows.close()
            return RangePage(entries, damaged, key)
    return RangePage(entries, damaged, None)


def read_history(
    connection: sqlite3.Connection, envelopes: Envelopes, prefix: bytes, after: int, until: int
) -> tuple[tuple[Change, ...], int]:
    """A page of the changes after `after` up to `until`, and how far it reaches.

    Raises BadEnvelope, MissingKey.
    """
    unseal = envelopes.unseal
    changes: list[Change] = []
    rows = connection.execute(_HISTORY, (after, until))
    size = 0
    for count, row in enumerate(rows, start=1):
        key, stored, revision, created, previous, old_stored, old_created = row
        size += len(stored or b"") + len(old_stored or b"")
        if key.startswith(prefix):
            value = None if stored is None else unseal(key, stored)
            old = None
            if previous:
                old = Entry(key, unseal(key, old_stored or b""), previous, old_created)
            changes.append(Change(key, value, revision, created, old))
        if count == _PAGE_ROWS or size > _PAGE_BYTES:
            rows.close()
            return tuple(changes), revision
    return tuple(changes), until


def _rows_of_range(
    connection: sqlite3.Connection, prefix: bytes, after: bytes, revision: int
) -> sqlite3.Cursor:
    end = prefix_end(prefix)
    lower, start = ("key > ?", after) if after >= prefix else ("key >= ?", prefix)
    if end is None:
        return connection.execute(_RANGE.format(keys=lower), (start, revision, revision))
    keys = f"{lower} AND key < ?"
    return connection.execute(_RANGE.format(keys=keys), (start, end, revision, revision))
