"""A further command inside a running container: its streams, its terminal, its end.

The command was spawned through the OCI runtime, which stays as its parent and passes on its
exit code. How it is started is `exec_start`'s business.
"""

import asyncio
import fcntl
import os
import select
import signal
import struct
import termios
from collections.abc import AsyncIterator
from typing import Literal

from sampan.engine.runtime.exec_files import ExecFiles
from sampan.host import processes

_CHUNK = 32 * 1024
_RUNTIME_FAILED = (1, 255)

StreamName = Literal["stdout", "stderr"]


class RuntimeExecSession:
    """Implements the contract's ExecSession over descriptors that it owns.

    `failure` is what the runtime, not the command, had to say in the end.
    """

    def __init__(
        self,
        child: processes.ChildProcess,
        outputs: dict[int, StreamName],
        stdin: int | None,
        files: ExecFiles,
        *,
        terminal: bool,
    ) -> None:
        self._child = child
        self._outputs = outputs
        self._stdin = stdin
        self._files = files
        self._terminal = terminal
        self._begun = False
        self.failure = ""
        self._loop = asyncio.get_running_loop()
        self._writing = asyncio.Lock()
        self._ended: asyncio.Task[int] = self._loop.create_task(child.wait())
        self._finished: asyncio.Task[int] = self._loop.create_task(self._finish())

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        async with self._writing:
            while view:
                if self._stdin is None or self._ended.done():
                    raise BrokenPipeError("the command's standard input is closed")
                try:
                    view = view[os.write(self._stdin, view) :]
                except BlockingIOError:
                    await processes.until_ready(writable=(self._stdin,), or_done=self._ended)
                except OSError as error:
                    raise BrokenPipeError("the command no longer reads") from error

    async def close_stdin(self) -> None:
        if self._stdin is None:
            return
        if self._terminal:
            await self.write(b"\x04")
        else:
            os.close(self._stdin)
        self._stdin = None

    async def output(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        try:
            while self._outputs:
                for descriptor in await self._any_ready():
                    piece = _read(descriptor)
                    if piece:
                        yield self._outputs[descriptor], piece
                    elif piece is not None:
                        self._close_output(descriptor)
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Nobody reads the output any more."""
        for descriptor in tuple(self._outputs):
            self._close_output(descriptor)

    @property
    def has_begun(self) -> bool:
        """Whether there is, or was, a command; none while the runtime gets it ready."""
        return self._begun or self._files.has_begun()

    @property
    def process(self) -> int:
        identity = self._files.process()
        return identity.process if identity is not None else 0

    async def resize(self, columns: int, rows: int) -> None:
        if self._terminal and self._outputs:
            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(next(iter(self._outputs)), termios.TIOCSWINSZ, size)

    async def wait(self) -> int:
        return await asyncio.shield(self._finished)

    async def kill(self) -> None:
        identity = self._files.process()
        if identity is not None:
            processes.send_signal(identity, signal.SIGKILL)
        self._child.signal(signal.SIGKILL)

    async def _finish(self) -> int:
        code = await self._ended
        self.failure = self._files.read_failure() if code in _RUNTIME_FAILED else ""
        self._begun = self._files.has_begun()
        self._files.remove()
        # Whoever waits for the descriptor lets go of it before it is closed.
        async with self._writing:
            if self._stdin is not None and not self._terminal:
                os.close(self._stdin)
            self._stdin = None
        return code

    async def _any_ready(self) -> list[int]:
        """Descriptors to try; once the command has ended, only those that still hold something."""
        if not self._finished.done():
            await processes.until_ready(readable=self._outputs, or_done=self._finished)
        elif drained := [fd for fd in self._outputs if _is_drained(fd)]:
            for descriptor in drained:
                self._close_output(descriptor)
        return list(self._outputs)

    def _close_output(self, descriptor: int) -> None:
        del self._outputs[descriptor]
        if self._terminal:
            self._stdin = None
        os.close(descriptor)


def _read(descriptor: int) -> bytes | None:
    """A chunk; b"" at the end, None when nothing is there yet."""
    try:
        return os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        # EIO: the last process has let go of the terminal.
        return b""


def _is_drained(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return not any(events & select.POLLIN for _, events in poll.poll(0))
