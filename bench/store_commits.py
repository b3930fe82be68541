"""Durable commits a second through the store, beside bare SQLite that commits row by row."""

import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench.measurement import Measurement, rate, spread
from sampan.store.sqlite import SqliteStore

_WRITERS = 32
_COMMITS = 16_000
_BARE_COMMITS = 1000
_VALUE = os.urandom(1500)


def measure() -> list[Measurement]:
    # Not /tmp, which may be memory, where a flush to the disk costs nothing.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        bare = _bare_sqlite(Path(folder) / "bare.db")
        seconds, latencies, reopened = uvloop.run(_store(Path(folder) / "state" / "store.db"))
    return [
        Measurement(
            f"store: durable commits, {_WRITERS} writers",
            rate(_COMMITS, seconds),
            "≥ 5,000/s",
            f"bare SQLite, one row a commit: {rate(_BARE_COMMITS, bare)}",
        ),
        Measurement("store: one commit among them", spread(latencies), "–"),
        Measurement(f"store: open and read {_COMMITS:,} objects", f"{reopened:.2f} s", "–"),
    ]


def _bare_sqlite(path: Path) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entry (key INTEGER PRIMARY KEY, value BLOB)")
    start = time.perf_counter()
    for number in range(_BARE_COMMITS):
        connection.execute("INSERT INTO entry VALUES (?, ?)", (number, _VALUE))
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


async def _store(path: Path) -> tuple[float, list[float], float]:
    sys.setswitchinterval(0.0005)
    store = await SqliteStore.open(path)
    latencies: list[float] = []

    async def write(writer: int) -> None:
        for number in range(_COMMITS // _WRITERS):
            start = time.perf_counter()
            await store.put(b"/pods/%d/%d" % (writer, number), _VALUE, expected=0)
            latencies.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(write(writer) for writer in range(_WRITERS)))
    seconds = time.perf_counter() - start
    await store.close()
    start = time.perf_counter()
    store = await SqliteStore.open(path)
    await store.range(b"")
    reopened = time.perf_counter() - start
    await store.close()
    return seconds, latencies, reopened
