"""What only a file can get wrong: restarts, other owners, other versions, damage, a full disk."""

import asyncio
import gc
import logging
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sampan.store.contract import Compacted, Conflict, Damaged, Entry, Unavailable
from sampan.store.sqlite import SqliteStore
from sampan.store.sqlite_file import AlreadyOpen, UnknownFormat


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "server" / "store.db"


def tell(path: Path, story: Callable[[SqliteStore], Awaitable[None]]) -> None:
    async def main() -> None:
        store = await SqliteStore.open(path)
        try:
            await story(store)
        finally:
            await store.close()

    asyncio.run(main())


def change_file(path: Path, statement: str, *parameters: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, parameters)
    connection.close()


async def fill(store: SqliteStore) -> None:
    await store.put(b"a", b"first")
    await store.put(b"b", b"second")
    await store.put(b"a", b"third")
    await store.delete(b"b")


def test_what_was_written_is_there_after_a_restart(path: Path) -> None:
    async def look(store: SqliteStore) -> None:
        assert await store.revision() == 4
        assert (await store.range(b"")).entries == (Entry(b"a", b"third", 3, 1),)
        assert len((await store.range(b"", revision=2)).entries) == 2
        batch = await anext(store.watch(b"", after=2))
        assert [change.revision for change in batch] == [3, 4]
        with pytest.raises(Conflict):
            await store.put(b"a", b"", expected=0)

    tell(path, fill)
    tell(path, look)


def test_compaction_is_remembered_over_a_restart(path: Path) -> None:
    async def compact(store: SqliteStore) -> None:
        await fill(store)
        await store.compact(4)

    async def look(store: SqliteStore) -> None:
        assert await store.revision() == 4
        with pytest.raises(Compacted):
            await store.range(b"", revision=3)

    tell(path, compact)
    tell(path, look)


def test_an_interrupted_compaction_is_finished_by_the_next(path: Path) -> None:
    async def finish(store: SqliteStore) -> None:
        with pytest.raises(Compacted):
            await store.range(b"", revision=3)
        await store.compact(4)

    tell(path, fill)
    change_file(path, "UPDATE progress SET oldest = 4")
    tell(path, finish)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT revision FROM change").fetchall() == [(3,)]
    connection.close()


def test_files_are_for_their_owner_alone(path: Path) -> None:
    async def look(store: SqliteStore) -> None:
        await store.put(b"a", b"")
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert set(modes) == {"store.db", "store.db-wal", "store.db-shm", "store.db.lock"}
        assert set(modes.values()) == {0o600}

    tell(path, look)


def test_a_second_owner_is_refused_and_may_come_when_the_first_is_gone(path: Path) -> None:
    async def refuse(_: SqliteStore) -> None:
        with pytest.raises(AlreadyOpen):
            await SqliteStore.open(path)

    tell(path, refuse)
    tell(path, fill)


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    tell(path, fill)
    change_file(path, "PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(UnknownFormat, match="format 99"):
        tell(path, fill)
    assert path.read_bytes() == before


def test_a_file_of_somebody_else_is_refused(path: Path) -> None:
    path.parent.mkdir()
    change_file(path, "CREATE TABLE precious (thing)")
    with pytest.raises(UnknownFormat, match="not a store"):
        tell(path, fill)


def test_what_is_no_database_at_all_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, and long enough to be looked at" * 100)
    with pytest.raises(Damaged):
        tell(path, fill)


def damage(path: Path, revision: int) -> None:
    """Flip one bit in the value that was written at `revision`."""
    connection = sqlite3.connect(path)
    (stored,) = connection.execute(
        "SELECT value FROM change WHERE revision = ?", (revision,)
    ).fetchone()
    connection.close()
    flipped = stored[:-1] + bytes((stored[-1] ^ 4,))
    change_file(path, "UPDATE change SET value = ? WHERE revision = ?", flipped, revision)


def test_a_damaged_value_is_set_aside_and_the_rest_serves(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def write(store: SqliteStore) -> None:
        for number in range(5):
            await store.put(b"k%d" % number, b"value")

    async def look(store: SqliteStore) -> None:
        found = await store.range(b"k")
        assert [entry.key for entry in found.entries] == [b"k0", b"k1", b"k3", b"k4"]
        assert store.quarantined == {b"k2": 3}
        assert await store.get(b"k2") is None
        assert (await store.put(b"k2", b"again", expected=0)).revision == 6
        assert len((await store.range(b"k")).entries) == 5
        with pytest.raises(Compacted):
            await anext(store.watch(b"k", after=0))
        assert len(await anext(store.watch(b"k", after=3))) == 3

    tell(path, write)
    damage(path, 3)
    with caplog.at_level(logging.ERROR):
        tell(path, look)
    assert next(record.key for record in caplog.records if record.levelno >= logging.ERROR) == "k2"


@pytest.mark.parametrize("expected", [None, 0])
def test_a_damaged_value_can_be_written_over(path: Path, expected: int | None) -> None:
    async def overwrite(store: SqliteStore) -> None:
        entry = await store.put(b"a", b"new", expected=expected)
        assert entry == Entry(b"a", b"new", 5, 5)

    tell(path, fill)
    damage(path, 3)
    tell(path, overwrite)


def test_a_full_disk_refuses_writes_clearly_serves_reads_and_recovers(path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        await fill(store)
        watch = store.watch(b"", after=4)
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        outcomes = await asyncio.gather(
            *(store.put(b"big%d" % n, bytes(8000)) for n in range(4)), return_exceptions=True
        )
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert "full" in str(outcomes[0])
        assert await store.revision() == 4
        assert await store.get(b"a") == Entry(b"a", b"third", 3, 1)
        store._writer.execute("PRAGMA max_page_count = 1000000").fetchall()
        assert (await store.put(b"big", bytes(8000))).revision == 5
        assert [change.revision for change in await anext(watch)] == [5]

    tell(path, story)


def test_a_conflict_is_not_told_before_the_write_it_hangs_on_is_safe(path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        await fill(store)
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        outcomes = await asyncio.gather(
            store.put(b"new", bytes(9000), expected=0),
            store.put(b"new", b"", expected=0),
            return_exceptions=True,
        )
        assert {type(outcome) for outcome in outcomes} == {Unavailable}

    tell(path, story)


def test_the_journal_is_written_back_under_load(path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        for _ in range(10):
            await asyncio.gather(*(store.put(b"k%d" % n, bytes(200_000)) for n in range(100)))
        assert path.with_name("store.db-wal").stat().st_size < 140_000_000
        assert path.stat().st_size > 60_000_000

    tell(path, story)


def test_everything_is_in_the_one_file_after_a_clean_close(path: Path) -> None:
    tell(path, fill)
    assert {file.name for file in path.parent.iterdir()} == {"store.db", "store.db.lock"}


def test_a_group_of_conflicts_alone_troubles_nobody(path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        await fill(store)
        troubles: list[object] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: troubles.append(context)
        )
        with pytest.raises(Conflict):
            await store.put(b"a", b"", expected=0)
        gc.collect()
        await asyncio.sleep(0)
        assert troubles == []
        assert await store.revision() == 4

    tell(path, story)


def test_what_is_read_right_after_it_was_written_is_what_was_written(path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        for number in range(1000):
            await store.put(b"k%d" % number, b"%d" % number)
            await store.put(b"k%d" % (number // 2), b"again")
        await store.delete(b"k999")
        assert await store.get(b"k999") is None
        assert [(await store.get(b"k%d" % n)).value for n in (0, 400, 998)] == [  # type: ignore[union-attr]
            b"again",
            b"again",
            b"998",
        ]

    tell(path, story)
