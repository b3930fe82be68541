"""A command's streams over an engine's socket: the side that has them, and the one that uses them.

What the command is, and whose, is not known here.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from sampan.engine.contract import EngineError, ExecSession
from sampan.engine.service import frames
from sampan.engine.service.errors import decode_error
from sampan.engine.service.server import Call

_log = logging.getLogger(__name__)
StreamName = Literal["stdout", "stderr"]
_KINDS: dict[StreamName, bytes] = {"stdout": frames.STDOUT, "stderr": frames.STDERR}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_CHUNK = 1 << 20


async def serve_session(call: Call, session: ExecSession) -> int:
    """Give output to the client at its pace, and take its input, until the end: the exit code.

    A client that goes away ends the session. Raises ConnectionError.
    """
    await call.send(frames.STARTED)
    feeding = asyncio.ensure_future(_feed(call, session))
    try:
        async with contextlib.aclosing(session.output()) as output:  # type: ignore[type-var]
            async for stream, data in output:
                await call.send(_KINDS[stream], data)
        return await session.wait()
    except (ConnectionError, asyncio.CancelledError):
        await session.kill()
        raise
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


async def _feed(call: Call, session: ExecSession) -> None:
    async for kind, payload in call.received():
        try:
            await _take(session, kind, payload)
        except BrokenPipeError:
            _log.debug("what a client wrote has no reader any more")


async def _take(session: ExecSession, kind: bytes, payload: bytes) -> None:
    if kind == frames.INPUT:
        await session.write(payload)
    elif kind == frames.INPUT_END:
        await session.close_stdin()
    elif kind == frames.RESIZE:
        await session.resize(*msgspec.json.decode(payload, type=tuple[int, int]))
    elif kind == frames.KILL:
        await session.kill()


class RemoteSession:
    """`contract.ExecSession` of a command that another engine has. Use `open`.

    Its end is seen by whoever reads `output`, to which `wait` looks.
    """

    process = 0

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, path: Path, method: str, arguments: Any) -> "RemoteSession":
        """Ask for the session. Raises EngineError, OSError."""
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            writer.write(frames.question(method, arguments))
            kind, payload = await frames.read_frame(reader)
            if kind == frames.ERROR:
                raise decode_error(payload)
        except asyncio.IncompleteReadError as error:
            writer.close()
            raise EngineError(f"the engine at {path} went away") from error
        except BaseException:
            writer.close()
            raise
        return cls(reader, writer)

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), _CHUNK):
            await self._send(frames.INPUT, data[start : start + _CHUNK])

    async def close_stdin(self) -> None:
        await self._send(frames.INPUT_END)

    async def resize(self, columns: int, rows: int) -> None:
        await self._send(frames.RESIZE, msgspec.json.encode((columns, rows)))

    async def kill(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            await self._send(frames.KILL)

    async def output(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        try:
            while True:
                kind, payload = await frames.read_frame(self._reader)
                if kind not in _NAMES:
                    break
                yield _NAMES[kind], payload
            if kind == frames.ERROR:
                raise decode_error(payload)
            self._code.set_result(msgspec.json.decode(payload, type=int))
        except (OSError, EOFError) as error:
            raise EngineError("the engine that has the command went away") from error
        finally:
            if not self._code.done():
                self._code.cancel()
            self._writer.close()

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    async def _send(self, kind: bytes, payload: bytes = b"") -> None:
        if self._code.done():
            raise BrokenPipeError("the command has ended")
        try:
            self._writer.write(frames.frame(kind, payload))
            await self._writer.drain()
        except ConnectionError as error:
            raise BrokenPipeError("the engine that has the command went away") from error
