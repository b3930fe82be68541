"""Input for a command that ends without having read it."""

import asyncio
import os
from pathlib import Path

import pytest

from sampan.engine.runtime.exec_files import ExecFiles
from sampan.engine.runtime.exec_session import RuntimeExecSession

MORE_THAN_A_PIPE_HOLDS = bytes(4 << 20)


class Command:
    """Ends when it is told to, with 3."""

    def __init__(self):
        self.ended = asyncio.Event()

    async def wait(self):
        await self.ended.wait()
        return 3


def test_a_writer_is_let_go_when_the_command_ends_and_its_input_lives_on(tmp_path: Path):
    async def story():
        command = Command()
        # Somebody whom the command has started still holds the reading end.
        held, stdin = os.pipe()
        os.set_blocking(stdin, False)
        session = RuntimeExecSession(command, {}, stdin, ExecFiles(tmp_path), terminal=False)
        writing = asyncio.create_task(session.write(MORE_THAN_A_PIPE_HOLDS))
        first = await asyncio.to_thread(os.read, held, 1)
        command.ended.set()
        with pytest.raises(BrokenPipeError):
            await asyncio.wait_for(writing, 5)
        assert (first, await session.wait()) == (b"\0", 3)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(stdin)
        os.close(held)

    asyncio.run(story())
