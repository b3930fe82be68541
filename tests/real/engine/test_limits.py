"""Limits and the boundaries of a container hold against what runs inside."""

import time
from pathlib import Path

import pytest
from isolation import Place, in_own_process

from sampan.engine.configuration import Limits
from sampan.engine.contract import ExecOptions, InvalidConfiguration

pytestmark = pytest.mark.real


def test_a_memory_hog_is_killed_at_its_limit(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(
            place.shell("tail /dev/zero", limits=Limits(memory=24 << 20, pids=50))
        )
        await engine.start(identifier)
        status = await engine.wait(identifier)
        assert (status.exit_code, status.out_of_memory) == (137, True)
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_fork_bomb_meets_its_limit(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(
            place.shell(
                "i=0; while [ $i -lt 100 ]; do sleep 30 & i=$((i+1)); done; echo all",
                limits=Limits(pids=20),
            )
        )
        await engine.start(identifier)
        status = await engine.wait(identifier)
        assert status.exit_code != 0
        assert "all" not in place.log()
        assert "fork" in place.log().lower()
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_half_a_processor_is_half_a_processor(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        import asyncio

        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(
            place.shell("while :; do :; done", limits=Limits(cpu_quota=50_000, pids=20))
        )
        await engine.start(identifier)
        await asyncio.sleep(0.3)
        before, begun = await engine.usage(identifier), time.monotonic()
        await asyncio.sleep(1.5)
        after, elapsed = await engine.usage(identifier), time.monotonic() - begun
        assert (after.cpu - before.cpu) / 1e9 / elapsed < 0.6
        assert after.pids == 1
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_the_default_profile_forbids_what_opens_the_kernel(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        # 250 keyctl, 321 bpf, 165 mount, 272 unshare (x86-64): each must be refused with EPERM.
        script = (
            "for number in 250 321 165 272; do "
            "perl -e '$r = syscall($ARGV[0], 0, 0, 0, 0, 0); print \"$ARGV[0] $r $!\\n\"' $number; "
            "done; cat /proc/self/status; cat /proc/kcore; ls /sys/firmware; "
            "touch /proc/sys/kernel/hostname"
        )
        identifier = await engine.create(place.shell(script))
        await engine.start(identifier)
        await engine.wait(identifier)
        log = place.log()
        for number in (250, 321, 165, 272):
            assert f"{number} -1 Operation not permitted" in log
        assert "NoNewPrivs:\t1" in log
        assert "Seccomp:\t2" in log
        assert "Read-only file system" in log
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_working_directory_in_proc_is_refused(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        for folder in ("/proc/self/fd/7", "/tmp/../proc/self/fd/8", "relative"):
            identifier = await engine.create(place.shell("pwd", working_directory=folder))
            with pytest.raises(InvalidConfiguration):
                await engine.start(identifier)
            assert (await engine.status(identifier)).phase == "created"
            await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_command_inside_is_bound_by_the_same_profile(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(place.shell("sleep 100"))
        await engine.start(identifier)
        for terminal in (False, True):
            session = await engine.execute(
                identifier, ("/bin/cat", "/proc/self/status"), ExecOptions(terminal=terminal)
            )
            status = b"".join([data async for _, data in session.output()])
            assert b"Seccomp:\t2" in status
            assert b"NoNewPrivs:\t1" in status
            assert b"CapBnd:\t00000000a80425fb" in status
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)
