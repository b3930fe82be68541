"""An engine's socket: takes questions of local root, hands them to handlers by method.

What the methods do is not known here. Each connection has at most one question open; what else
the client sends meanwhile is that question's.
"""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sampan.engine.contract import EngineError, InvalidConfiguration
from sampan.engine.service import frames
from sampan.engine.service.errors import encode_error

_log = logging.getLogger(__name__)
_CREDENTIALS = struct.Struct("3i")
_FRAMES_WAITING = 64
_Arguments = TypeVar("_Arguments")


class _Question(msgspec.Struct):
    method: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class Call:
    """One question while it is being answered; `process` is who asks."""

    def __init__(self, arguments: msgspec.Raw, writer: asyncio.StreamWriter, process: int) -> None:
        self.process = process
        self._arguments = arguments
        self._writer = writer
        self._received: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue(_FRAMES_WAITING)

    def arguments(self, kind: type[_Arguments]) -> _Arguments:
        """Raises InvalidConfiguration."""
        try:
            return msgspec.json.decode(self._arguments, type=kind)
        except msgspec.DecodeError as error:
            raise InvalidConfiguration(f"the arguments are invalid: {error}") from error

    async def send(self, kind: bytes, payload: bytes = b"") -> None:
        """A frame to the client, at its pace. Raises ConnectionError."""
        self._writer.write(frames.frame(kind, payload))
        await self._writer.drain()

    async def received(self) -> AsyncIterator[tuple[bytes, bytes]]:
        """Further frames of the client; the call is cancelled when it goes away."""
        while True:
            yield await self._received.get()

    async def take(self, kind: bytes, payload: bytes) -> None:
        """A further frame has come; returns when there is room for it."""
        await self._received.put((kind, payload))


Handler = Callable[[Call], Awaitable[Any]]


class EngineServer:
    """Listens on a Unix socket that only root may open."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.bind(str(self._path))
        self._path.chmod(0o600)
        listener.listen(128)
        self._server = await asyncio.start_unix_server(self._accept, sock=listener)

    async def stop(self) -> None:
        """Stop listening and end every call."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            process, user = _peer(writer)
            if user in (0, os.geteuid()):
                await _Conversation(self._handlers, writer, process).hold(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            _log.debug("a client of the engine went away")
        except asyncio.CancelledError:
            _log.debug("a client of the engine was cut off: the engine stops")
        finally:
            self._connections.discard(task)
            writer.close()


class _Conversation:
    """One connection: questions one after another, and what belongs to the one that is open."""

    def __init__(
        self, handlers: Mapping[str, Handler], writer: asyncio.StreamWriter, process: int
    ) -> None:
        self._handlers = handlers
        self._writer = writer
        self._process = process
        self._call: Call | None = None
        self._answering: asyncio.Task[None] | None = None

    async def hold(self, reader: asyncio.StreamReader) -> None:
        """Until the client goes away, which ends the question that is open."""
        try:
            while (received := await _next_frame(reader)) is not None:
                kind, payload = received
                if kind == frames.QUESTION:
                    await self._open(payload)
                else:
                    await self._pass_on(kind, payload)
        finally:
            if self._answering is not None:
                self._answering.cancel()
                await asyncio.gather(self._answering, return_exceptions=True)

    async def _open(self, payload: bytes) -> None:
        if self._answering is not None:
            await self._answering
        try:
            question = msgspec.json.decode(payload, type=_Question)
        except msgspec.DecodeError as error:
            raise frames.BrokenFrame(f"a question can't be read: {error}") from error
        self._call = Call(question.arguments, self._writer, self._process)
        self._answering = asyncio.ensure_future(self._answer(question.method, self._call))

    async def _pass_on(self, kind: bytes, payload: bytes) -> None:
        """To the open question; what comes after its end is dropped."""
        if self._call is None or self._answering is None:
            raise frames.BrokenFrame("a frame that is no question")
        taking = asyncio.ensure_future(self._call.take(kind, payload))
        await asyncio.wait((taking, self._answering), return_when=asyncio.FIRST_COMPLETED)
        taking.cancel()

    async def _answer(self, method: str, call: Call) -> None:
        handler = self._handlers.get(method)
        try:
            if handler is None:
                raise EngineError(f"the engine has no method {method!r}")
            await call.send(frames.ANSWER, msgspec.json.encode(await handler(call)))
        except ConnectionError:
            _log.debug("the client of %s went away", method)
            self._writer.close()
        except (EngineError, OSError) as error:
            if isinstance(error, OSError):
                _log.warning("%s failed", method, exc_info=error)
            await call.send(frames.ERROR, encode_error(error))


async def _next_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    """None when the peer has closed."""
    try:
        return await frames.read_frame(reader)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None


def _peer(writer: asyncio.StreamWriter) -> tuple[int, int]:
    """Process and user of who has connected (SO_PEERCRED, unix(7))."""
    peer = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(credentials)
    return process, user
