"""Containers that try to get out, to change the runtime, or to fill what they are given."""

import asyncio
import contextlib
import hashlib
import os
import resource
from pathlib import Path

import pytest
from isolation import Place, in_own_process

from sampan.engine.configuration import ContainerConfiguration, Limits, Mount
from sampan.engine.container_engine import ContainerEngine
from sampan.engine.contract import EngineError, InvalidConfiguration
from sampan.engine.log_rotation import LogLimits, rotate_once, rotated_file

pytestmark = pytest.mark.real

_RUNTIME = Path("/usr/bin/crun")
_DESCRIPTORS = range(3, 14)


async def said(place: Place, engine: ContainerEngine, configuration: ContainerConfiguration) -> str:
    identifier = await engine.create(configuration)
    try:
        await engine.start(identifier)
        await engine.wait(identifier)
        return place.log()
    finally:
        await engine.remove(identifier)
        Path(configuration.log_path).unlink(missing_ok=True)


def test_a_working_directory_that_leads_to_a_descriptor_leads_nowhere(tmp_path: Path) -> None:
    """By a link in the image it is refused; by one in a volume no folder of the host is reached."""

    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        volume = place.folder / "volume"
        volume.mkdir()
        for number in _DESCRIPTORS:
            (volume / f"{number}").symlink_to(f"/proc/self/fd/{number}")
        host_root = os.stat("/")
        for number in _DESCRIPTORS:
            identifier = await engine.create(place.shell("pwd", working_directory="/link"))
            (await engine.root(identifier) / "link").symlink_to(f"/proc/self/fd/{number}")
            with pytest.raises(InvalidConfiguration, match="leads"):
                await engine.start(identifier)
            await engine.remove(identifier)
            try:
                found = await said(
                    place,
                    engine,
                    place.shell(
                        "ls -di . .. ../.. ../../.. ../../../..",
                        working_directory=f"/volume/{number}",
                        mounts=(Mount(source=str(volume), target="/volume"),),
                    ),
                )
            except EngineError:
                continue
            assert str(host_root.st_ino) not in [line.split()[0] for line in found.splitlines()]
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_missing_working_directory_is_made_inside_and_is_roots(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        outside = place.folder / "outside"
        outside.mkdir()
        identifier = await engine.create(
            place.shell(
                "pwd; ls -ld . | cut -c1-30", working_directory="/way/out/../new", user="app"
            )
        )
        (await engine.root(identifier) / "way").symlink_to("/etc/../home")
        await engine.start(identifier)
        await engine.wait(identifier)
        made = (await engine.root(identifier)) / "home/new"
        assert (made.stat().st_uid, made.stat().st_mode & 0o7777) == (0, 0o755)
        await engine.remove(identifier)
        escaping = await engine.create(place.shell("pwd", working_directory="/escape/new"))
        (await engine.root(escaping) / "escape").symlink_to(f"../../../../../{outside}")
        with pytest.raises(EngineError):
            await engine.start(escaping)
        assert not list(outside.iterdir())
        await engine.remove(escaping)
        await engine.close()

    in_own_process(tmp_path, body)


def test_the_runtimes_binary_is_out_of_reach(tmp_path: Path) -> None:
    """The trick: have the runtime execute itself inside, and write to /proc/N/exe meanwhile."""

    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        before = hashlib.sha256(_RUNTIME.read_bytes()).hexdigest()
        attack = (
            "i=0; while [ $i -lt 200 ]; do i=$((i+1)); for n in 1 2 3 4 5 6 7 8 9 10 11 12; do "
            "(echo changed > /proc/$n/exe) 2>/dev/null && echo wrote $n; done; done; echo over"
        )
        identifier = await engine.create(place.shell(attack, limits=Limits(pids=50)))
        root = await engine.root(identifier)
        (root / "bin/self").symlink_to("/proc/self/exe")
        await engine.start(identifier)
        for _ in range(5):
            session = await engine.execute(identifier, ("/bin/self", "--version"))
            await session.wait()
        await engine.wait(identifier)
        assert "over" in place.log()
        assert hashlib.sha256(_RUNTIME.read_bytes()).hexdigest() == before
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_links_in_the_place_of_masked_paths_and_devices_reach_nothing(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        victim = place.folder / "victim"
        victim.write_text("kept")
        for name, target in (
            ("proc", str(place.folder)),
            ("dev", str(place.folder)),
            ("sys", str(place.folder)),
        ):
            identifier = await engine.create(place.shell("echo over; ls /", terminal=True))
            root = await engine.root(identifier)
            if (root / name).is_dir():
                (root / name).rmdir()
            (root / name).symlink_to(target)
            listed = sorted(place.folder.rglob("*"), key=str)
            with contextlib.suppress(EngineError):
                await engine.start(identifier)
                await engine.wait(identifier)
            new = set(place.folder.rglob("*")) - set(listed)
            owned = ("state", "run", "logs", "images")
            assert not [
                path for path in new if path.relative_to(place.folder).parts[0] not in owned
            ]
            await engine.remove(identifier)
        assert victim.read_text() == "kept"
        await engine.close()

    in_own_process(tmp_path, body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kernel.shm_rmid_forced+kernel.core_pattern", "1"),
        ("kernel.core_pattern", "|/bin/sh"),
        ("net/../kernel/core_pattern", "x"),
        ("net..kernel", "1"),
        ("kernel.shm_rmid_forced", "1\nkernel.core_pattern=x"),
        ("vm.overcommit_memory", "1"),
    ],
)
def test_a_sysctl_of_the_machine_is_refused(tmp_path: Path, name: str, value: str) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        pattern = Path("/proc/sys/kernel/core_pattern").read_text()
        with pytest.raises(InvalidConfiguration):
            await said(place, engine, place.shell("true", sysctls={name: value}))
        assert Path("/proc/sys/kernel/core_pattern").read_text() == pattern
        await engine.close()

    in_own_process(tmp_path, body)


def test_endless_output_of_a_command_is_held_by_its_reader(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(place.shell("sleep 100"))
        await engine.start(identifier)
        session = await engine.execute(identifier, ("/bin/cat", "/dev/zero"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        taken = 0
        async for _, data in session.output():
            assert len(data) <= 32 * 1024
            taken += len(data)
            if taken > 4 << 20:
                break
        await asyncio.sleep(0.3)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 << 10
        await session.kill()
        await session.wait()
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_an_ever_growing_log_stays_within_its_limits(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(place.shell("while :; do echo 0123456789; done"))
        await engine.start(identifier)
        status = await engine.status(identifier)
        limits = LogLimits(size=1 << 20)
        for _ in range(limits.files + 2):
            await asyncio.sleep(0.1)
            await rotate_once(engine, [status], limits)
        log = Path(status.log_path)
        assert rotated_file(log).exists()
        assert len(list(log.parent.iterdir())) <= limits.files
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_hosts_file_can_be_kept_from_growing(tmp_path: Path) -> None:
    """What a container may write to must be a file of bounded room, or read-only."""

    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        hosts = place.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n")
        found = await said(
            place,
            engine,
            place.shell(
                "cat /dev/zero >> /etc/hosts || echo refused",
                mounts=(Mount(source=str(hosts), target="/etc/hosts", read_only=True),),
            ),
        )
        assert "refused" in found
        assert hosts.stat().st_size < 100
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_fork_bomb_ends_with_its_container(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(
            place.shell("bomb() { bomb | bomb & }; bomb; sleep 100", limits=Limits(pids=64))
        )
        await engine.start(identifier)
        await asyncio.sleep(0.5)
        usage = await engine.detailed_usage(identifier)
        assert usage.pids <= usage.pids_limit == 64
        await engine.stop(identifier, 0)
        await engine.remove(identifier)
        assert not place.control_groups.processes(place.cgroup)
        await engine.close()

    in_own_process(tmp_path, body)
