"""Starting, following and ending processes."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sampan.host import processes

SHELL = "/bin/sh"
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def shell(script: str) -> tuple[str, ...]:
    return (SHELL, "-c", script)


def test_a_command_is_run_and_its_output_bounded() -> None:
    async def scenario() -> None:
        pieces: list[bytes] = []
        result = await processes.run(
            shell("echo one; echo two >&2; exit 3"),
            environment=ENVIRONMENT,
            output_limit=6,
            on_output=pieces.append,
        )
        assert result == processes.CompletedCommand(3, b"one\ntw")
        assert b"".join(pieces) == b"one\ntwo\n"

    asyncio.run(scenario())


def test_a_command_that_takes_too_long_is_killed() -> None:
    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            await processes.run(shell("exec sleep 60"), environment=ENVIRONMENT, timeout=0.05)

    asyncio.run(scenario())


def test_what_is_not_there_cannot_be_started() -> None:
    async def scenario() -> None:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(FileNotFoundError):
            await processes.run(("/nosuch",), environment={})
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(scenario())


def test_descriptors_and_folder_are_passed_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        child = await processes.spawn(
            shell("pwd >&3; echo hi >&5; exit 1"),
            environment=ENVIRONMENT,
            inherited={3: writer, 5: writer},
            folder=tmp_path,
        )
        os.close(writer)
        assert await child.wait() == 1
        assert os.read(reader, 1000).decode() == f"{tmp_path}\nhi\n"
        os.close(reader)

    before = os.getcwd()
    asyncio.run(scenario())
    assert os.getcwd() == before


def test_a_death_by_signal_is_told_as_a_shell_does() -> None:
    async def scenario() -> None:
        child = await processes.spawn(shell("exec sleep 60"), environment=ENVIRONMENT)
        child.signal(signal.SIGTERM)
        assert await child.wait() == 143
        child.signal(signal.SIGTERM)

    asyncio.run(scenario())


def test_any_process_can_be_followed_to_its_end() -> None:
    async def scenario() -> None:
        child = await processes.spawn(shell("exec sleep 60"), environment=ENVIRONMENT)
        identity = processes.identity_of(child.process)
        assert identity is not None
        ended = asyncio.Event()
        watch = processes.ExitWatch(identity, ended.set)
        assert processes.is_alive(identity)
        assert processes.send_signal(identity, signal.SIGKILL)
        await asyncio.wait_for(ended.wait(), 5)
        await child.wait()
        watch.close()
        assert not processes.is_alive(identity)
        assert not processes.send_signal(identity, signal.SIGKILL)
        again = asyncio.Event()
        processes.ExitWatch(identity, again.set)
        await asyncio.wait_for(again.wait(), 5)

    asyncio.run(scenario())


def test_a_later_process_of_the_same_number_is_another() -> None:
    own = processes.identity_of(os.getpid())
    assert own is not None
    stranger = processes.ProcessIdentity(own.process, own.start_time + 1)
    assert not processes.is_alive(stranger)
    assert processes.open_process(stranger) is None
