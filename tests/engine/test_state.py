"""The engine's records: durable, all or none, refused when newer."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from sampan.engine.contract import EngineError
from sampan.engine.state import State


def test_one_process_has_the_records(tmp_path: Path) -> None:
    async def main() -> None:
        state = await State.open(tmp_path / "state.db")
        with pytest.raises(EngineError, match="another engine runs"):
            await State.open(tmp_path / "state.db")
        await state.close()
        await (await State.open(tmp_path / "state.db")).close()

    asyncio.run(main())


def test_documents_outlive_the_process(tmp_path: Path) -> None:
    async def write() -> None:
        state = await State.open(tmp_path / "state.db")
        await state.put("container", "a", b"1")
        await state.put("container", "a", b"2")
        await state.put("network", "a", b"3")
        await state.write([("container", "b", b"4"), ("network", "a", None)])
        await state.close()

    async def read() -> None:
        state = await State.open(tmp_path / "state.db")
        assert await state.documents("container") == {"a": b"2", "b": b"4"}
        assert await state.documents("network") == {}
        await state.delete("container", "nobody")
        await state.close()

    asyncio.run(write())
    asyncio.run(read())
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600


def test_a_change_that_fails_leaves_nothing_of_it(tmp_path: Path) -> None:
    async def body() -> None:
        state = await State.open(tmp_path / "state.db")
        with pytest.raises(EngineError):
            await state.write([("a", "b", b"x"), ("a", None, b"y")])  # type: ignore[list-item]
        assert await state.documents("a") == {}
        await state.close()

    asyncio.run(body())


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(EngineError, match="newer version"):
        asyncio.run(State.open(tmp_path / "state.db"))
