"""The engine's socket: takes questions of local root, hands them to handlers by method.

What the methods do is not known here. Each connection has at most one question open.
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
_Arguments = TypeVar("_Arguments")


class _Question(msgspec.Struct):
    method: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class Call:
    """One question while it is being answered."""

    def __init__(self, arguments: msgspec.Raw) -> None:
        self._arguments = arguments

    def arguments(self, kind: type[_Arguments]) -> _Arguments:
        """Raises InvalidConfiguration."""
        try:
            return msgspec.json.decode(self._arguments, type=kind)
        except msgspec.DecodeError as error:
            raise InvalidConfiguration(f"the arguments are invalid: {error}") from error


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
    """One connection: questions one after another."""

    def __init__(self, handlers: Mapping[str, Handler], writer: asyncio.StreamWriter) -> None:
        self._handlers = handlers
        self._writer = writer
        self._answering: asyncio.Task[None] | None = None

    async def hold(self, reader: asyncio.StreamReader) -> None:
        """Until the client goes away, which ends the question that is open."""
        try:
            while (received := await _next_frame(reader)) is not None:
                kind, payload = received
                if kind != frames.QUESTION:
                    raise frames.BrokenFrame("a frame that is no question")
                await self._open(payload)
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
        call = Call(question.arguments)
        self._answering = asyncio.ensure_future(self._answer(question.method, call))

    async def _answer(self, method: str, call: Call) -> None:
        handler = self._handlers.get(method)
        try:
            if handler is None:
                raise EngineError(f"the engine has no method {method!r}")
            await self._send(frames.ANSWER, msgspec.json.encode(await handler(call)))
        except ConnectionError:
            _log.debug("the client of %s went away", method)
        except (EngineError, OSError) as error:
            if isinstance(error, OSError):
                _log.warning("%s failed", method, exc_info=error)
            await self._send(frames.ERROR, encode_error(error))

    async def _send(self, kind: bytes, payload: bytes) -> None:
        self._writer.write(frames.frame(kind, payload))
        await self._writer.drain()


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
