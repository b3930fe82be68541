"""A running container's own streams as a session: to be written to, shown, resized, let go."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal

from sampan.engine.contract import ContainerStatus
from sampan.engine.runtime.attach import AttachedStreams


class AttachedSession:
    """`contract.ExecSession` of the container's main process; `kill` only lets go of it."""

    def __init__(
        self,
        streams: AttachedStreams,
        resize: Callable[[int, int], Awaitable[None]],
        wait: Callable[[], Awaitable[ContainerStatus]],
        process: int,
    ) -> None:
        self.process = process
        self._streams = streams
        self._resize = resize
        self._wait = wait

    async def write(self, data: bytes) -> None:
        await self._streams.write(data)

    async def close_stdin(self) -> None:
        self._streams.close_input()

    async def output(self) -> AsyncIterator[tuple[Literal["stdout", "stderr"], bytes]]:
        async for piece in self._streams.output():
            yield piece

    async def resize(self, columns: int, rows: int) -> None:
        await self._resize(columns, rows)

    async def wait(self) -> int:
        """The container's exit code; its streams are let go."""
        status = await self._wait()
        self._streams.close()
        return status.exit_code

    async def kill(self) -> None:
        self._streams.close()
