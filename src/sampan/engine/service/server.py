"""The engine's socket: takes questions of local root, hands them to handlers by method.

What the methods do is not known here. Each connection has at most one question open; its
further frames (input, resize, signal) go to that question's call.
"""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sampan.engine.contract import EngineError, InvalidConfiguration
from sampan.engine.service import frames
from sampan.engine.service.errors import encode_error

_log = logging.getLogger(__name__)
_CREDENTIALS = struct.Struct("3i")
_INPUTS_WAITING = 64
_Arguments = TypeVar("_Arguments")


class _Question(msgspec.Struct):
    method: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class Call:
    """One question while it is being answered."""

    def __init__(self, arguments: msgspec.Raw, writer: asyncio.StreamWriter) -> None:
        self._arguments = arguments
        self._writer = writer
        self.inputs: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue(_INPUTS_WAITING)

    def arguments(self, kind: type[_Arguments]) -> _Arguments:
        """Raises InvalidConfiguration."""
        try:
            return msgspec.json.decode(self._arguments, type=kind)
        except msgspec.DecodeError as error:
            raise InvalidConfiguration(f"the arguments are invalid: {error}") from error

    async def send(self, kind: bytes, payload: bytes) -> None:
        """Send output or progress, at the client's pace. Raises ConnectionError."""
        self._writer.write(frames.frame(kind, payload))
        await self._writer.drain()

    def progress(self, text: str) -> None:
        """Send a line of progress without waiting."""
        self._writer.write(frames.frame(frames.PROGRESS, text.encode()))


Handler = Callable[[Call], Awaitable[Any]]


class EngineServer:
    """Listens on a Unix socket that only root may open."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._connections: set[asyncio.Task[None]] = set()

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
            if _is_root(writer):
                await _Conversation(self._handlers, writer).hold(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            _log.debug("a client of the engine went away")
        except asyncio.CancelledError:
            _log.debug("a client of the engine was cut off: the engine stops")
        finally:
            self._connections.discard(task)
            writer.close()


class _Conversation:
    """One connection: questions one after another, and the input of the one that is open."""

    def __init__(self, handlers: Mapping[str, Handler], writer: asyncio.StreamWriter) -> None:
        self._handlers = handlers
        self._writer = writer
        self._call: Call | None = None
        self._answering: asyncio.Task[None] | None = None

    async def hold(self, reader: asyncio.StreamReader) -> None:
        """Until the client goes away, which ends the call that is open."""
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
        self._call = Call(question.arguments, self._writer)
        self._answering = asyncio.ensure_future(self._answer(question.method, self._call))

    async def _pass_on(self, kind: bytes, payload: bytes) -> None:
        """Give input to the open call; what comes after its end is dropped."""
        if self._call is None or self._answering is None:
            return
        putting = asyncio.ensure_future(self._call.inputs.put((kind, payload)))
        await asyncio.wait((putting, self._answering), return_when=asyncio.FIRST_COMPLETED)
        putting.cancel()

    async def _answer(self, method: str, call: Call) -> None:
        handler = self._handlers.get(method)
        try:
            if handler is None:
                raise EngineError(f"the engine has no method {method!r}")
            await call.send(frames.ANSWER, msgspec.json.encode(await handler(call)))
        except ConnectionError:
            _log.debug("the client of %s went away", method)
        except (EngineError, OSError) as error:
            if isinstance(error, OSError):
                _log.warning("%s failed", method, exc_info=error)
            await call.send(frames.ERROR, encode_error(error))


async def _next_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    """None when the peer has closed."""
    try:
        kind, length = frames.header(await reader.readexactly(frames.HEADER.size))
        return kind, await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None


def _is_root(writer: asyncio.StreamWriter) -> bool:
    """Whether the peer is root or runs as we do (SO_PEERCRED, unix(7))."""
    peer = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return _CREDENTIALS.unpack(credentials)[1] in (0, os.geteuid())
