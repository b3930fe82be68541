"""A file system that really is full: writes are refused clearly, and go on once there is room."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

STORY = """
import asyncio, sys
from pathlib import Path
from sampan.store.contract import Unavailable
from sampan.store.sqlite import SqliteStore

async def main():
    folder = Path(sys.argv[1])
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(2_000_000))
    store = await SqliteStore.open(folder / "state" / "store.db")
    acknowledged = []
    try:
        for number in range(10_000):
            acknowledged.append(await store.put(b"k%d" % number, bytes(5000)))
    except Unavailable as error:
        assert "full" in str(error), error
    assert 100 < len(acknowledged) < 10_000
    assert (await store.range(b"")).entries == tuple(sorted(acknowledged, key=lambda e: e.key))
    ballast.unlink()
    for number in range(50):
        acknowledged.append(await store.put(b"later%d" % number, bytes(5000)))
    await store.close()
    store = await SqliteStore.open(folder / "state" / "store.db")
    assert (await store.range(b"")).entries == tuple(sorted(acknowledged, key=lambda e: e.key))
    assert store.quarantined == {}
    await store.close()

asyncio.run(main())
"""


def test_a_full_file_system_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    mount_and_run = 'mount -t tmpfs -o size=8m tmpfs "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount_and_run, "sh"]
    finished = subprocess.run(
        [*command, str(tmp_path), sys.executable, STORY],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
