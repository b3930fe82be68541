"""Containers come and go while the engine's process is killed at random: nothing is orphaned."""

import asyncio
import ctypes
import os
import random
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from isolation import Place, in_own_process

from sampan.engine.machine import open_machine
from sampan.engine.networks.record import NETWORK_KIND
from sampan.host import mounts
from sampan.host.netlink import Netlink
from sampan.host.nftables import Nftables

pytestmark = pytest.mark.real

_CONTAINERS = 200
_SECONDS = 90
_SIDE_BY_SIDE = 4
_CLONE_NEWNET = 0x40000000
# One life of the engine's process: it goes on with what is still to be done until it is killed.
_LIFE = """
import asyncio, os, random, sys, uvloop
from pathlib import Path
from sampan.engine.containers.configuration import *
from sampan.engine.contract import EngineError
from sampan.engine.machine import open_machine
from sampan.foundation.settings import Instance
done, count = Path(sys.argv[2]), int(sys.argv[3])
dice = random.Random(int(sys.argv[4]))
async def one(machine, name):
    containers = machine.containers
    if any(detail.name == name for detail in await containers.list()):
        await containers.remove(name, force=True, volumes=True)
    host = HostConfiguration(
        network_mode="bridge", binds=("/volume",), port_bindings={"80/tcp": (PortBinding(),)}
    )
    wanted = Configuration(image="machine", command=("/bin/sh", "-c", "echo x; sleep 100"))
    await containers.create(name, wanted, host, NetworkingConfiguration())
    await containers.start(name)
    if dice.random() < 0.3:
        await containers.restart(name, 0)
    await containers.stop(name, 0)
    await containers.remove(name, volumes=True)
    with done.open("a") as file:
        file.write(name + "\\n")
async def worker(machine, names):
    while names:
        await one(machine, names.pop())
async def main():
    machine = await open_machine(Instance(name=sys.argv[1]), {})
    finished = set(done.read_text().split()) if done.exists() else set()
    names = [name for name in (f"c{n}" for n in range(count)) if name not in finished]
    await asyncio.gather(*(worker(machine, names) for _ in range(int(sys.argv[5]))))
    await machine.close()
uvloop.install()
asyncio.run(main())
"""


async def _lives(place: Place, done: Path) -> int:
    """Live and be killed until all is done; how often it was killed."""
    dice, kills = random.Random(5), 0
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _LIFE,
            place.instance.name,
            str(done),
            str(_CONTAINERS),
            str(kills),
            str(_SIDE_BY_SIDE),
        )
        try:
            async with asyncio.timeout(dice.uniform(0.7, 1.5)):
                assert await process.wait() == 0
            return kills
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
            await process.wait()
            kills += 1


def test_nothing_is_left_of_containers_that_came_and_went_through_kills(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        assert ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) == 0
        instance = place.instance
        await place.add_image()
        instance.state_folder.mkdir(parents=True)
        shutil.move(place.folder / "images", instance.state_folder / "images")
        done = tmp_path / "done"
        kills = await _lives(place, done)
        assert kills >= 8
        assert len(set(done.read_text().split())) == _CONTAINERS
        machine = await open_machine(instance, os.environ)
        assert await machine.containers.list() == []
        assert await machine.engine.containers() == []
        assert [volume.name for volume in machine.volumes.volumes()] == []
        await machine.close()
        _check_nothing_is_left(place)

    in_own_process(tmp_path, body, _SECONDS + 30)


def _check_nothing_is_left(place: Place) -> None:
    instance = place.instance
    folder = instance.state_folder / "engine"
    with sqlite3.connect(folder / "engine.db") as records:
        kept = {kind for (kind,) in records.execute("SELECT kind FROM documents")}
    records.close()
    # The default network stays; no container, volume, hold on one, or command does.
    assert kept <= {NETWORK_KIND}
    assert list((instance.state_folder / "images" / "leases").glob("*/*")) == []
    run = instance.run_folder / "engine"
    made = ("containers", "exits", "namespaces", "networks")
    for left in (folder / "containers", folder / "logs", *(run / name for name in made)):
        assert list(left.iterdir()) == []
    below = (str(instance.state_folder), str(instance.run_folder))
    assert [entry for entry in mounts.mount_entries() if entry.target.startswith(below)] == []
    with Netlink() as netlink:
        names = {link.name for link in netlink.links()}
    assert names <= {"lo", instance.interface("bridge")}
    with Nftables() as rules:
        assert f"{instance.packet_table}-containers" not in rules.run("list tables")
    group = place.control_groups
    assert group.processes(f"{place.cgroup}/containers") == set()
