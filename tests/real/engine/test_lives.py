"""A container's life beyond its first run: again, paused, changed, after a reboot."""

import asyncio
import os
import re
import signal
from pathlib import Path

import msgspec
import pytest
from isolation import Place, in_own_process

from sampan.engine.configuration import DeviceRate, Limits
from sampan.engine.container_engine import ContainerEngine
from sampan.engine.contract import CommandNotFound, Conflict
from sampan.engine.images.local import LocalImages
from sampan.host import processes

pytestmark = pytest.mark.real


def test_creating_costs_no_process(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(place.shell("true"), "a" * 64)
        assert identifier == "a" * 64
        assert not list((place.folder / "run/containers").iterdir())
        root = await engine.root(identifier)
        assert (root / "bin/sh").exists()
        with pytest.raises(Conflict):
            await engine.create(place.shell("true", "other"), identifier)
        await engine.stop(identifier, 0)
        assert (await engine.status(identifier)).phase == "exited"
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_what_is_said_first_is_not_missed_when_attached_before_the_start(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(place.shell("echo first; exit 3", log_path=""))
        await engine.prepare(identifier)
        assert (await engine.status(identifier)).phase == "created"
        session = await engine.attach(identifier)
        await engine.start(identifier)
        assert [data async for _, data in session.output()] == [b"first\n"]
        assert await session.wait() == 3
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_an_ended_container_starts_again_over_what_it_wrote(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        script = "echo $RUN >> /times; cat /times; exit $RUN"
        configuration = place.shell(script, environment={"RUN": "1"})
        identifier = await engine.create(configuration)
        await engine.start(identifier)
        assert (await engine.wait(identifier)).exit_code == 1
        await engine.start(identifier)
        assert (await engine.status(identifier)).phase == "exited"
        again = msgspec.structs.replace(configuration, environment={"RUN": "2"}, name="ignored")
        await engine.prepare(identifier, again)
        await engine.start(identifier)
        assert (await engine.wait(identifier)).exit_code == 2
        assert (await engine.root(identifier) / "times").read_text() == "1\n2\n"
        written = await engine.written(identifier)
        assert (written.upper / "times").exists()
        assert len(written.layers) == 1

        broken = msgspec.structs.replace(configuration, command=("nosuch",))
        with pytest.raises(CommandNotFound):
            await engine.prepare(identifier, broken)
        status = await engine.status(identifier)
        assert (status.phase, status.exit_code, status.name) == ("exited", 2, "test")
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_paused_container_does_nothing_until_it_is_let_go(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(place.shell("while :; do :; done"))
        with pytest.raises(Conflict):
            await engine.pause(identifier)
        await engine.start(identifier)
        await engine.pause(identifier)
        assert (await engine.status(identifier)).paused
        before = (await engine.usage(identifier)).cpu
        await asyncio.sleep(0.2)
        assert (await engine.usage(identifier)).cpu == before
        await engine.close()

        engine = await place.engine()
        assert (await engine.status(identifier)).paused
        await engine.unpause(identifier)
        assert not (await engine.status(identifier)).paused
        await asyncio.sleep(0.1)
        assert (await engine.usage(identifier)).cpu > before
        await engine.pause(identifier)
        await engine.stop(identifier, 5)
        status = await engine.status(identifier)
        assert (status.phase, status.paused) == ("exited", False)
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_limits_change_while_it_runs(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(
            place.shell("sleep 100", limits=Limits(memory=64 << 20, pids=50, cpu_shares=512))
        )
        await engine.start(identifier)
        for memory, pids, quota in ((128 << 20, 20, 50_000), (32 << 20, 30, 0), (0, 0, 20_000)):
            limits = Limits(memory=memory, pids=pids, cpu_quota=quota)
            await engine.update(identifier, limits)
            usage = await engine.detailed_usage(identifier)
            assert usage.memory.limit == memory
            assert usage.pids_limit == pids
        if device := _block_device():
            for rate in (1 << 20, 2 << 20, 0):
                rates = (DeviceRate(device, rate),) if rate else ()
                await engine.update(identifier, Limits(write_bytes=rates, read_operations=rates))
                (process, *_) = await engine.processes(identifier)
                assert _rates(process) == ([str(rate)] if rate else [])
        await engine.update(identifier, Limits(memory=16 << 20))
        await engine.stop(identifier, 0)
        await engine.prepare(identifier)
        assert (await engine.detailed_usage(identifier)).memory.limit == 16 << 20
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_after_the_machine_starts_anew_nothing_runs_and_all_can_start_again(
    tmp_path: Path,
) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        running = await engine.create(place.shell("echo x >> /times; sleep 1000", "running"))
        waiting = await engine.create(place.shell("true", "waiting"))
        ended = await engine.create(place.shell("exit 5", "ended"))
        await engine.start(running)
        await engine.prepare(waiting)
        await engine.start(ended)
        await engine.wait(ended)
        await engine.close()
        _power_off(place)

        engine = await ContainerEngine.open(
            place.folder / "state",
            place.folder / "run",
            LocalImages(place.store),
            boot="another",
        )
        status = await engine.status(running)
        assert (status.phase, status.exit_code) == ("exited", 255)
        assert (await engine.status(waiting)).phase == "created"
        assert (await engine.status(ended)).exit_code == 5
        for identifier in (running, waiting, ended):
            await engine.prepare(identifier)
            await engine.start(identifier)
        assert (await engine.status(running)).phase == "running"
        assert (await engine.root(running) / "times").read_text() == "x\nx\n"
        assert (await engine.wait(ended)).exit_code == 5
        for identifier in (running, waiting, ended):
            await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def _power_off(place: Place) -> None:
    """Nothing of the containers lives on, nothing is mounted, and /run is empty."""
    from sampan.host import mounts
    from sampan.host.tree_removal import remove_tree

    for pid_file in (place.folder / "run/containers").glob("*/monitor.pid"):
        identity = processes.identity_of(int(pid_file.read_text()))
        if identity is not None:
            processes.send_signal(identity, signal.SIGKILL)
    place.control_groups.kill_all(place.cgroup)
    while place.control_groups.processes(place.cgroup):
        os.sched_yield()
    place.control_groups.remove(place.cgroup)
    for entry in mounts.mount_entries():
        if Path(entry.target).is_relative_to(place.folder):
            mounts.unmount(entry.target, lazily=True)
    remove_tree(place.folder / "run")


def _block_device() -> str:
    """A device of the machine that can be limited; "" where there is none."""
    found = (Path("/dev") / each.name for each in Path("/sys/block").iterdir())
    return next((str(path) for path in found if path.is_block_device()), "")


def _rates(process: int) -> list[str]:
    """What the kernel says of the bytes that a process may write in a second, by device."""
    for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "blkio":
            folder = Path("/sys/fs/cgroup/blkio") / group.lstrip("/")
            return (folder / "blkio.throttle.write_bps_device").read_text().split()[1::2]
        if not controllers and (file := Path(f"/sys/fs/cgroup/{group}/io.max")).exists():
            found = re.findall(r"wbps=(\d+)", file.read_text())
            return [str(each) for each in found]
    return []
