"""A container's own streams for one client: of a running container, or of one yet to be started.

Several clients may be attached at once; each has a connection of its own to the container's
monitor. One that came before the start is connected between the making of the first process and
its release, so that nothing that it says is missed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal

from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import AttachOptions, LogEntry, LogOptions
from sampan.engine.contract import ExecSession

StreamName = Literal["stdout", "stderr"]


class LateSession:
    """A session whose container may not run yet; `kill` lets go of the streams only.

    `past` is what is to be shown before all else; `result` gives the exit code at the end.
    `ends_input`: the end of this client's input is that of the container's.
    """

    def __init__(
        self,
        options: AttachOptions,
        past: AsyncIterator[LogEntry] | None,
        result: Awaitable[int],
        *,
        ends_input: bool,
    ) -> None:
        self._options = options
        self._ends_input = ends_input
        self._past = past
        self._result = asyncio.ensure_future(result)
        self._connected = asyncio.Event()
        self._session: ExecSession | None = None
        self._over = False

    def connect(self, session: ExecSession) -> None:
        """The container's streams are there."""
        self._session = session
        self._connected.set()

    def give_up(self) -> None:
        """There will be no streams any more."""
        self._over = True
        self._connected.set()

    @property
    def is_over(self) -> bool:
        """Whether the client has gone."""
        return self._over

    @property
    def process(self) -> int:
        return self._session.process if self._session is not None else 0

    async def write(self, data: bytes) -> None:
        session = await self._streams()
        if session is None or not self._options.stdin:
            raise BrokenPipeError("the container does not read")
        await session.write(data)

    async def close_stdin(self) -> None:
        session = await self._streams()
        if session is not None and self._options.stdin and self._ends_input:
            await session.close_stdin()

    async def output(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        if self._past is not None:
            async for entry in self._past:
                yield entry.stream, entry.data
        session = await self._streams() if self._options.stream else None
        if session is None:
            return
        async for stream, data in session.output():
            if self._options.stdout if stream == "stdout" else self._options.stderr:
                yield stream, data

    async def resize(self, columns: int, rows: int) -> None:
        if self._session is not None:
            await self._session.resize(columns, rows)

    async def wait(self) -> int:
        return await asyncio.shield(self._result)

    async def kill(self) -> None:
        self.give_up()
        self._result.cancel()
        if self._session is not None:
            await self._session.kill()

    async def _streams(self) -> ExecSession | None:
        await self._connected.wait()
        return None if self._over else self._session


Logs = Callable[[ManagedContainer, LogOptions], AsyncIterator[LogEntry]]


async def attach(
    container: ManagedContainer,
    options: AttachOptions,
    logs: Logs,
    connect: Callable[[str], Awaitable[ExecSession]],
) -> LateSession:
    """A session with a container. Raises EngineError when it can't be connected to."""
    past = None
    if options.logs:
        past = logs(container, LogOptions(stdout=options.stdout, stderr=options.stderr))
    configuration = container.record.configuration
    session = LateSession(
        options,
        past,
        _exit_code(container),
        ends_input=configuration.stdin_once and not configuration.terminal,
    )
    if not options.stream:
        session.give_up()
    elif container.running:
        session.connect(await connect(container.identifier))
    else:
        container.attaching.append(session)
    return session


async def connect_waiting(
    container: ManagedContainer, connect: Callable[[str], Awaitable[ExecSession]]
) -> None:
    """Connect those who attached before the start, now that there is something to attach to."""
    waiting, container.attaching = container.attaching, []
    for session in waiting:
        if not session.is_over:
            session.connect(await connect(container.identifier))


def give_up_waiting(container: ManagedContainer) -> None:
    """The start failed: nobody will see any output of it."""
    waiting, container.attaching = container.attaching, []
    for session in waiting:
        session.give_up()


async def _exit_code(container: ManagedContainer) -> int:
    return (await container.until("next-exit")).exit_code
