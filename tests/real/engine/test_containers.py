"""Containers from their creation to their end, with their output and their commands."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from isolation import Place, in_own_process

from sampan.engine.configuration import Mount
from sampan.engine.contract import (
    CommandNotFound,
    ContainerStatus,
    EngineError,
    ExecOptions,
    ImageNotFound,
    NameInUse,
)
from sampan.engine.log_rotation import LogLimits, rotate_once, rotated_file
from sampan.engine.logs import LogOptions, read_log
from sampan.host.cgroups import control_groups

pytestmark = pytest.mark.real


def test_a_container_runs_and_tells_its_phases_and_exit_code(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        phases: list[str] = []
        engine.on_change(lambda status: phases.append(status.phase))
        identifier = await engine.create(place.shell("echo out; echo err >&2; id; exit 7"))
        await engine.start(identifier)
        status = await engine.wait(identifier)
        assert (status.phase, status.exit_code, status.out_of_memory) == ("exited", 7, False)
        assert status.created < status.started <= status.finished
        # One that ends before its start is known to have worked is never seen running.
        assert phases in (["created", "running", "exited"], ["created", "exited"])
        assert "out" in place.log()
        assert "uid=0(root)" in place.log()
        await engine.remove(identifier)
        assert await engine.containers() == []
        assert not list((place.folder / "state/containers").iterdir())
        await engine.close()

    in_own_process(tmp_path, body)


def test_what_is_discarded_goes_while_others_go_on(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(place.shell("true"))
        await engine.start(identifier)
        await engine.wait(identifier)
        await engine.discard(identifier)
        assert await engine.containers() == []
        again = await engine.create(place.shell("true"))
        await engine.discard(again)
        await engine.discard(again)
        await engine.close()
        assert not list((place.folder / "state/containers").iterdir())
        assert not list((place.folder / "run/containers").iterdir())

    in_own_process(tmp_path, body)


def test_expecting_a_process_moves_none(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        own = Path("/proc/self/cgroup").read_text()
        control_groups().expect_moves()
        assert Path("/proc/self/cgroup").read_text() == own

    in_own_process(tmp_path, body)


def test_what_cannot_run_leaves_nothing(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        for command, code in ((("nosuch",), 127), (("/etc",), 126), (("/etc/passwd",), 126)):
            identifier = await engine.create(place.shell("", command=command))
            with pytest.raises(CommandNotFound) as caught:
                await engine.start(identifier)
            assert caught.value.exit_code == code
            assert (await engine.status(identifier)).phase == "created"
            assert not list((place.folder / "run/containers").iterdir())
            await engine.remove(identifier)
        with pytest.raises(ImageNotFound):
            await engine.create(place.shell("", image="nosuch"))
        identifier = await engine.create(place.shell("true"))
        with pytest.raises(NameInUse):
            await engine.create(place.shell("true"))
        await engine.remove(identifier)
        assert not list((place.folder / "state/containers").iterdir())
        assert not list((place.folder / "run/containers").iterdir())
        await engine.close()

    in_own_process(tmp_path, body)


def test_stopping_waits_for_the_grace_and_then_kills(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        polite = await engine.create(
            place.shell("trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done", "polite")
        )
        stubborn = await engine.create(place.shell("sleep 100; true", "stubborn"))
        for identifier in (polite, stubborn):
            await engine.start(identifier)
        session = await engine.execute(polite, ("/bin/sleep", "0.2"))
        assert await session.wait() == 0
        await engine.stop(polite, 10)
        assert (await engine.status(polite)).exit_code == 9
        await engine.stop(stubborn, 0.1)
        assert (await engine.status(stubborn)).exit_code == 128 + signal.SIGKILL
        for identifier in (polite, stubborn):
            await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_commands_run_inside_with_pipes_and_with_a_terminal(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(place.shell("sleep 100", environment={"A": "1"}))
        await engine.start(identifier)

        session = await engine.execute(
            identifier,
            ("/bin/sh", "-c", "echo $A$B; cat; echo err >&2; exit 5"),
            ExecOptions(stdin=True, environment={"B": "2"}),
        )
        await session.write(b"typed\n")
        await session.close_stdin()
        received = {"stdout": b"", "stderr": b""}
        async for stream, data in session.output():
            received[stream] += data
        assert received == {"stdout": b"12\ntyped\n", "stderr": b"err\n"}
        assert await session.wait() == 5

        session = await engine.execute(
            identifier,
            ("/bin/sh", "-c", "sleep 0.1; stty size; exit 6"),
            ExecOptions(terminal=True),
        )
        await session.resize(100, 30)
        output = b"".join([data async for _, data in session.output()])
        assert b"30 100" in output
        assert await session.wait() == 6

        for terminal in (False, True):
            with pytest.raises(CommandNotFound, match='exec: "nosuch": executable file') as refused:
                await engine.execute(identifier, ("nosuch",), ExecOptions(terminal=terminal))
            assert refused.value.exit_code == 127
        with pytest.raises(EngineError, match=r'chdir to cwd \("/nosuch"\)'):
            await engine.execute(identifier, ("true",), ExecOptions(working_directory="/nosuch"))

        session = await engine.execute(identifier, ("/bin/sleep", "50"))
        await session.kill()
        assert await session.wait() != 0

        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_mounts_user_and_environment_are_as_configured(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        shared = place.folder / "shared"
        shared.mkdir()
        (shared / "file").write_text("from the machine\n")
        engine = await place.engine()
        identifier = await engine.create(
            place.shell(
                "cat /data/file; touch /data/new 2>/dev/null || echo kept; touch /memory/x; "
                "id; pwd; echo $HOME; touch /etc/x 2>/dev/null || echo read-only; exec env",
                mounts=(
                    Mount(source=str(shared), target="/data", read_only=True),
                    Mount(kind="tmpfs", target="/memory", size=1 << 20),
                ),
                user="app",
                supplemental_groups=(4242,),
                working_directory="/tmp",
                hostname="boat",
                read_only_root=True,
            )
        )
        await engine.start(identifier)
        status = await engine.wait(identifier)
        assert status.exit_code == 0
        log = place.log()
        for expected in (
            "from the machine",
            "kept",
            "read-only",
            "/tmp",
            "/home/app",
            "HOSTNAME=boat",
            "uid=1000(app) gid=1001(app) groups=1001(app),1002(extra),4242",
        ):
            assert expected in log
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_containers_outlive_the_engine_and_are_found_again(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        first = await place.engine()
        running = await first.create(place.shell("sleep 1000", "running"))
        ending = await first.create(place.shell("sleep 0.1; exit 4", "ending"))
        waiting = await first.create(place.shell("true", "waiting"))
        for identifier in (running, ending):
            await first.start(identifier)
        before = await first.status(running)
        seen = (await first.wait(ending)).exit_code
        await first.close()

        second = await place.engine()
        assert await second.status(running) == before
        assert (await second.status("ending")).exit_code == seen == 4
        assert (await second.status("waiting")).phase == "created"
        await second.start(waiting)
        assert (await second.wait(waiting)).exit_code == 0
        for status in await second.containers():
            await second.remove(status.identifier)
        await second.close()

    in_own_process(tmp_path, body)


def test_an_end_while_nobody_looked_keeps_its_exit_code(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        first = await place.engine()
        identifier = await first.create(place.shell("sleep 0.2; exit 33"))
        await first.start(identifier)
        await first.close()
        await asyncio.sleep(0.6)
        second = await place.engine()
        assert (await second.wait(identifier)).exit_code == 33
        await second.remove(identifier)
        await second.close()

    in_own_process(tmp_path, body)


def test_when_the_monitor_is_killed_the_container_ends_too(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        ended: list[ContainerStatus] = []
        engine.on_change(ended.append)
        identifier = await engine.create(place.shell("sleep 1000"))
        await engine.start(identifier)
        monitor = (place.folder / "run/containers" / identifier / "monitor.pid").read_text()
        os.kill(int(monitor), signal.SIGKILL)
        status = await engine.wait(identifier)
        assert status.exit_code == 137
        assert "monitor" in status.message
        assert not place.control_groups.processes(place.cgroup)
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_a_half_made_container_is_cleaned_away(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        first = await place.engine()
        identifier = await first.create(place.shell("sleep 1000"))
        await first.close()
        record = place.folder / "state/containers" / identifier / "container.json"
        record.write_text("{ torn")
        second = await place.engine()
        assert await second.containers() == []
        assert not record.parent.exists()
        await second.close()

    in_own_process(tmp_path, body)


def test_a_grown_log_is_set_aside_and_nothing_is_lost(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(
            place.shell("trap 'echo late; exit 0' TERM; echo early; while :; do sleep 0.05; done")
        )
        await engine.start(identifier)
        log = Path((await engine.status(identifier)).log_path)
        async for _, data in read_log(log, LogOptions(follow=True)):
            assert data == b"early\n"
            break
        await rotate_once(engine, await engine.containers(), LogLimits(size=10))
        await engine.stop(identifier, 10)
        assert b"early" in rotated_file(log).read_bytes()
        assert b"late" in log.read_bytes()
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)
