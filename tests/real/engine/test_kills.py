"""The engine's process is killed at random instants, again and again; nothing is ever orphaned."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest
from isolation import Place, in_own_process

from sampan.host import mounts

pytestmark = pytest.mark.real

_ROUNDS = 12
# Lives of containers side by side, until the process is killed.
_WORKER = """
import asyncio, random, sys, uvloop
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from isolation import Place
async def life(place, engine, name, dice):
    while True:
        script = f"echo said; sleep 0.0{dice.randrange(9)}"
        identifier = await engine.create(place.shell(script, name))
        await engine.prepare(identifier)
        await engine.start(identifier)
        if dice.random() < 0.5:
            await engine.wait(identifier)
            await engine.prepare(identifier)
            await engine.start(identifier)
        if dice.random() < 0.5:
            await engine.stop(identifier, 0.05)
        await engine.remove(identifier)
async def main():
    place = Place(Path(sys.argv[2]))
    place.cgroup = sys.argv[3]
    engine = await place.engine()
    print("ready", flush=True)
    dice = random.Random(int(sys.argv[4]))
    await asyncio.gather(*(life(place, engine, f"name-{i}", dice) for i in range(4)))
uvloop.install()
asyncio.run(main())
"""


def test_no_instant_is_a_bad_one_to_be_killed_at(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        dice = random.Random(31)
        for seed in range(_ROUNDS):
            await _killed_worker(place, seed, dice.uniform(0.0, 0.25))
            engine = await place.engine()
            for status in await engine.containers():
                assert status.phase in ("created", "running", "exited")
                if status.phase == "exited" and dice.random() < 0.5:
                    await engine.prepare(status.identifier)
                    await engine.start(status.identifier)
                await engine.remove(status.identifier)
            assert _left(place) == []
            await engine.close()

    in_own_process(tmp_path, body)


async def _killed_worker(place: Place, seed: int, delay: float) -> None:
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WORKER, str(Path(__file__).parent)),
        *(str(place.folder), place.cgroup, str(seed)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert worker.stdout is not None
    assert await worker.stdout.readline() == b"ready\n"
    await asyncio.sleep(delay)
    os.kill(worker.pid, signal.SIGKILL)
    await worker.wait()


def _left(place: Place) -> list[str]:
    """What of any container is still there."""
    folders = ("state/containers", "run/containers", "run/exits", "run/runtime")
    left = [str(path) for name in folders for path in (place.folder / name).iterdir()]
    left += [
        entry.target
        for entry in mounts.mount_entries()
        if Path(entry.target).is_relative_to(place.folder)
    ]
    return left + [str(process) for process in place.control_groups.processes(place.cgroup)]
