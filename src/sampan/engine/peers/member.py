"""A node's engine as a member of its machine's: it tells of its containers, and takes questions.

It joins again for as long as it lives: the machine's engine may be started anew at any time,
and then hears of all containers once more.
"""

import asyncio
import logging
from collections import deque
from pathlib import Path

import msgspec

from sampan.engine.container_engine import ContainerEngine
from sampan.engine.contract import ContainerStatus
from sampan.engine.peers import messages
from sampan.engine.service import frames
from sampan.engine.service.server import Call, EngineServer, Handler
from sampan.engine.service.streams import serve_session

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.5
_NOTICES_WAITING = 4096


class Member:
    """`socket` is where it takes questions, `machine` the socket of the machine's engine."""

    def __init__(self, engine: ContainerEngine, name: str, socket: Path, machine: Path) -> None:
        self._engine = engine
        self._machine = machine
        self._membership = messages.Membership(name, str(socket), str(engine.containers_folder))
        self._server = EngineServer(socket, _Questions(engine).handlers())
        self._notices: deque[messages.Notice] = deque()
        self._noticed = asyncio.Event()
        self._joining: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises OSError."""
        await self._server.start()
        self._engine.on_change(self._changed)
        self._engine.on_removal(self._removed)
        self._joining = asyncio.ensure_future(self._join_for_ever())

    async def close(self) -> None:
        """Leave; the containers run on."""
        if self._joining is not None:
            self._joining.cancel()
            await asyncio.gather(self._joining, return_exceptions=True)
        await self._server.stop()

    def _changed(self, status: ContainerStatus) -> None:
        self._notice(messages.Notice(record=self._engine.record(status.identifier)))

    def _removed(self, identifier: str) -> None:
        self._notice(messages.Notice(gone=identifier))

    def _notice(self, notice: messages.Notice) -> None:
        self._notices.append(notice)
        self._noticed.set()

    async def _join_for_ever(self) -> None:
        while True:
            try:
                await self._join()
            except (OSError, EOFError) as error:
                _log.debug("the machine's engine doesn't hear: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _join(self) -> None:
        """Tell of all containers, then of each change, until the machine's engine is gone."""
        reader, writer = await asyncio.open_unix_connection(str(self._machine))
        ended = asyncio.ensure_future(frames.read_frame(reader))
        ended.add_done_callback(lambda _: self._noticed.set())
        try:
            writer.write(frames.question(messages.JOIN, msgspec.to_builtins(self._membership)))
            self._notices = deque(
                messages.Notice(record=record, is_news=False) for record in self._engine.records()
            )
            while not ended.done():
                await self._send_notices(writer)
                await self._noticed.wait()
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
            writer.close()

    async def _send_notices(self, writer: asyncio.StreamWriter) -> None:
        self._noticed.clear()
        if len(self._notices) > _NOTICES_WAITING:
            raise ConnectionError("the machine's engine is too far behind")
        while self._notices:
            notice = msgspec.json.encode(self._notices.popleft())
            writer.write(frames.frame(frames.NOTICE, notice))
            await writer.drain()


class _Questions:
    """What a member is asked about its containers."""

    def __init__(self, engine: ContainerEngine) -> None:
        self._engine = engine

    def handlers(self) -> dict[str, Handler]:
        return {
            "containers.kill": self._kill,
            "containers.stop": self._stop,
            "containers.pause": self._pause,
            "containers.unpause": self._unpause,
            "containers.resize": self._resize,
            "containers.root": self._root,
            "containers.execute": self._execute,
            "containers.attach": self._attach,
        }

    async def _kill(self, call: Call) -> None:
        asked = call.arguments(messages.Signal)
        await self._engine.kill(asked.identifier, asked.signal)

    async def _stop(self, call: Call) -> None:
        asked = call.arguments(messages.Stop)
        await self._engine.stop(asked.identifier, asked.grace_seconds)

    async def _pause(self, call: Call) -> None:
        await self._engine.pause(call.arguments(messages.OfContainer).identifier)

    async def _unpause(self, call: Call) -> None:
        await self._engine.unpause(call.arguments(messages.OfContainer).identifier)

    async def _resize(self, call: Call) -> None:
        asked = call.arguments(messages.Size)
        await self._engine.resize(asked.identifier, asked.columns, asked.rows)

    async def _root(self, call: Call) -> str:
        return str(await self._engine.root(call.arguments(messages.OfContainer).identifier))

    async def _execute(self, call: Call) -> int:
        asked = call.arguments(messages.Command)
        session = await self._engine.execute(asked.identifier, asked.command, asked.options)
        return await serve_session(call, session)

    async def _attach(self, call: Call) -> int:
        session = await self._engine.attach(call.arguments(messages.OfContainer).identifier)
        return await serve_session(call, session)
