"""Further commands in running containers: made, started, shown, followed to their end.

A command goes on when its client goes away; what it says then is read and dropped, so that it
never waits for a reader who has left. Its result is written down, and so is a command that runs
for longer than a moment: the next process of the engine knows how the one ended, and follows the
other to its end. Of that the exit code is nobody's any more, and what it says goes nowhere.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Literal

import msgspec

from sampan.engine.containers.configuration import ExecConfiguration
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import ExecDetail
from sampan.engine.containers.execution_record import KIND, ExecutionRecord, write, written
from sampan.engine.containers.registry import Registry
from sampan.engine.contract import (
    CommandNotFound,
    Conflict,
    Engine,
    EngineError,
    ExecOptions,
    ExecSession,
    InvalidConfiguration,
    NotFound,
)
from sampan.engine.state import State
from sampan.host import processes

_log = logging.getLogger(__name__)
StreamName = Literal["stdout", "stderr"]
_Piece = tuple[StreamName, bytes] | None
_PIECES_WAITING = 64
_MOMENT_SECONDS = 0.2
_ENDED_KEPT = 64
_COULD_NOT_RUN = 126


class Execution:
    """One command; `session` is there once it was started by this process."""

    def __init__(
        self, detail: ExecDetail, container: ManagedContainer, *, started: bool = False
    ) -> None:
        self.detail = detail
        self.container = container
        self.started = started
        self.written = False
        self.session: ExecSession | None = None

    def change(self, **changes: object) -> None:
        self.detail = msgspec.structs.replace(self.detail, **changes)


class ExecClient:
    """A client's hold on a command's streams; `kill` lets go of them, and the command goes on."""

    def __init__(self, session: ExecSession, options: ExecConfiguration) -> None:
        self._session = session
        self._options = options
        self._pieces: deque[_Piece] = deque()
        self._changed = asyncio.Condition()
        self._gone = False

    async def give(self, piece: _Piece) -> None:
        """Pass output on at the client's pace, for as long as it is there."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._gone or len(self._pieces) < _PIECES_WAITING)
            if not self._gone:
                self._pieces.append(piece)
                self._changed.notify_all()

    @property
    def process(self) -> int:
        return self._session.process

    async def write(self, data: bytes) -> None:
        if not self._options.attach_stdin:
            raise BrokenPipeError("the command was started without standard input")
        await self._session.write(data)

    async def close_stdin(self) -> None:
        if self._options.attach_stdin:
            await self._session.close_stdin()

    async def output(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        while (piece := await self._next()) is not None:
            yield piece

    async def resize(self, columns: int, rows: int) -> None:
        await self._session.resize(columns, rows)

    async def wait(self) -> int:
        return await self._session.wait()

    async def kill(self) -> None:
        async with self._changed:
            self._gone = True
            self._pieces.clear()
            self._changed.notify_all()

    async def _next(self) -> _Piece:
        async with self._changed:
            await self._changed.wait_for(lambda: self._gone or bool(self._pieces))
            piece = self._pieces.popleft() if self._pieces else None
            self._changed.notify_all()
            return piece


class Executions:
    def __init__(self, engine: Engine, registry: Registry, state: State) -> None:
        self._engine = engine
        self._registry = registry
        self._state = state
        self._executions: dict[str, Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def restore(self) -> None:
        """Know those that an earlier process has left. Raises EngineError."""
        for identifier, record in (await written(self._state)).items():
            container = self._registry.get(record.detail.container)
            if container is None:
                await self._state.delete(KIND, identifier)
                continue
            execution = Execution(record.detail, container, started=True)
            execution.written = True
            self._executions[identifier] = execution
            if record.detail.running:
                self._keep(self._follow_to_end(execution, record.process))

    def create(self, container: ManagedContainer, configuration: ExecConfiguration) -> str:
        """A new one's identifier. Raises Conflict, InvalidConfiguration."""
        if not configuration.command:
            raise InvalidConfiguration("No exec command specified")
        _check_state(container)
        identifier = secrets.token_hex(32)
        detail = ExecDetail(
            identifier=identifier, container=container.identifier, configuration=configuration
        )
        self._executions[identifier] = Execution(detail, container)
        self._publish(self._executions[identifier], f"exec_create: {_line(configuration)}")
        return identifier

    async def start(
        self, identifier: str, *, detach: bool, console_size: tuple[int, int] | None
    ) -> ExecClient | None:
        """Raises NotFound, Conflict, EngineError."""
        execution = self.find(identifier)
        if execution.started:
            raise Conflict(f"Error: Exec command {identifier} has already run")
        _check_state(execution.container)
        execution.started = True
        execution.change(running=True)
        configuration = execution.detail.configuration
        self._publish(execution, f"exec_start: {_line(configuration)}")
        try:
            session = await self._session(execution)
        except (EngineError, OSError) as error:
            code = error.exit_code if isinstance(error, CommandNotFound) else _COULD_NOT_RUN
            execution.change(running=False, exit_code=code)
            raise
        execution.session = session
        if console_size is None and configuration.console_size is not None:
            rows, columns = configuration.console_size
            console_size = (columns, rows)
        if configuration.terminal and console_size:
            await session.resize(*console_size)
        client = None if detach else ExecClient(session, configuration)
        self._keep(self._follow(execution, session, client))
        return client

    def _keep(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def inspect(self, identifier: str) -> ExecDetail:
        """Raises NotFound."""
        execution = self.find(identifier)
        session = execution.session
        if session is not None and execution.detail.running:
            execution.change(process=session.process)
        return execution.detail

    async def resize(self, identifier: str, columns: int, rows: int) -> None:
        """Raises NotFound, Conflict when it doesn't run."""
        execution = self.find(identifier)
        if execution.session is None or not execution.detail.running:
            raise Conflict(f"Exec {identifier} is not running")
        await execution.session.resize(columns, rows)

    def of(self, container: ManagedContainer) -> tuple[str, ...]:
        """The identifiers of those that a container runs now."""
        return tuple(
            identifier
            for identifier, execution in self._executions.items()
            if execution.container is container and execution.detail.running
        )

    async def forget(self, container: str) -> None:
        """A container is no more. Raises EngineError."""
        every = self._executions.items()
        await self._drop([key for key, it in every if it.detail.container == container])

    def find(self, identifier: str) -> Execution:
        """By its identifier or the start of it. Raises NotFound."""
        found = self._executions.get(identifier)
        if found is not None:
            return found
        alike = [it for key, it in self._executions.items() if key.startswith(identifier)]
        if len(alike) != 1 or not identifier:
            raise NotFound(f"No such exec instance: {identifier[:100]}")
        return alike[0]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _session(self, execution: Execution) -> ExecSession:
        wanted = execution.detail.configuration
        variables = (entry.partition("=") for entry in wanted.environment or ())
        return await self._engine.execute(
            execution.container.identifier,
            wanted.command or (),
            ExecOptions(
                terminal=wanted.terminal,
                stdin=wanted.attach_stdin,
                environment={name: value for name, _, value in variables},
                user=wanted.user,
                working_directory=wanted.working_directory,
                privileged=wanted.privileged,
            ),
        )

    async def _follow(
        self, execution: Execution, session: ExecSession, client: ExecClient | None
    ) -> None:
        """Pass output on, or drop it, until the end; note the end."""
        wanted = execution.detail.configuration
        noting = self._keep(self._note_running(execution, session))
        async for stream, data in session.output():
            if client is not None and _is_wanted(wanted, stream):
                await client.give((stream, data))
        code = await session.wait()
        execution.change(running=False, exit_code=code, process=0)
        self._publish(execution, "exec_die", execID=execution.detail.identifier, exitCode=str(code))
        if client is not None:
            await client.give(None)
        noting.cancel()
        await self._write(execution)
        await self._drop_oldest()

    async def _note_running(self, execution: Execution, session: ExecSession) -> None:
        await asyncio.sleep(_MOMENT_SECONDS)
        await self._write(execution, processes.identity_of(session.process))

    async def _follow_to_end(
        self, execution: Execution, process: processes.ProcessIdentity | None
    ) -> None:
        """One that an earlier process of the engine has started."""
        if process is not None:
            await processes.until_ended(process)
        execution.change(running=False, process=0)
        self._publish(execution, "exec_die", execID=execution.detail.identifier)
        await self._write(execution)

    async def _write(
        self, execution: Execution, process: processes.ProcessIdentity | None = None
    ) -> None:
        detail = execution.detail
        # What another engine keeps isn't known here before it joins.
        if execution.container.keeper or detail.identifier not in self._executions:
            return
        execution.written = True
        try:
            await write(self._state, ExecutionRecord(detail, process))
        except EngineError as error:
            _log.error("the result of command %s is not kept: %s", detail.identifier, error)

    async def _drop_oldest(self) -> None:
        every = self._executions.items()
        ended = [key for key, it in every if it.started and not it.detail.running]
        await self._drop(ended[:-_ENDED_KEPT])

    async def _drop(self, identifiers: Sequence[str]) -> None:
        dropped = [self._executions.pop(identifier) for identifier in identifiers]
        gone = [(KIND, it.detail.identifier, None) for it in dropped if it.written]
        if gone:
            await self._state.write(gone)

    def _publish(self, execution: Execution, action: str, **attributes: str) -> None:
        attributes.setdefault("execID", execution.detail.identifier)
        self._registry.publish(execution.container, action, **attributes)


def _check_state(container: ManagedContainer) -> None:
    if not container.running:
        raise Conflict(f"container {container.identifier} is not running")
    if container.paused:
        raise Conflict(
            f"container {container.record.name} is paused, unpause the container before exec"
        )


def _is_wanted(configuration: ExecConfiguration, stream: StreamName) -> bool:
    if stream == "stderr":
        return configuration.attach_stderr
    return configuration.attach_stdout or configuration.terminal


def _line(configuration: ExecConfiguration) -> str:
    return " ".join(configuration.command or ())
