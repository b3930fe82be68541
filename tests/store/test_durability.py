"""What was acknowledged is there after the writer was killed, wherever it just was."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sampan.store.sqlite import SqliteStore

WRITER = """
import asyncio, sys
from pathlib import Path
from sampan.store.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    first = await store.revision()

    async def write(writer):
        for number in range(100_000):
            key = b"%d/%d/%d" % (first, writer, number)
            entry = await store.put(key, key * 50, expected=0)
            sys.stdout.write(f"{entry.revision} {key.decode()}\\n")
            sys.stdout.flush()

    async def compact():
        while True:
            await asyncio.sleep(0.05)
            await store.compact(await store.revision())

    await asyncio.gather(compact(), *(write(writer) for writer in range(16)))

asyncio.run(main())
"""


def acknowledged_until_killed(path: Path, count: int) -> dict[bytes, int]:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, env=os.environ
    )
    assert writer.stdout is not None
    lines = [writer.stdout.readline() for _ in range(count)]
    writer.send_signal(signal.SIGKILL)
    # The pipe's reader may hold the beginning of a line, which communicate() would leave out.
    with writer.stdout:
        rest = writer.stdout.read()
    writer.wait(timeout=10)
    lines += [line for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
    assert all(lines)
    return {key: int(revision) for revision, key in (line.split() for line in lines)}


@pytest.mark.parametrize("count", [1, 500, 3000])
def test_no_acknowledged_write_is_lost_when_the_writer_is_killed(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    path = tmp_path / "state" / "store.db"
    acknowledged: dict[bytes, int] = {}
    for _ in range(2):
        acknowledged |= acknowledged_until_killed(path, count)

    async def look() -> None:
        store = await SqliteStore.open(path)
        found = await store.range(b"")
        entries = {entry.key: entry.revision for entry in found.entries}
        assert {key: entries.get(key) for key in acknowledged} == acknowledged
        assert all(entry.value == entry.key * 50 for entry in found.entries)
        assert store.quarantined == {}
        await store.close()

    asyncio.run(look())
