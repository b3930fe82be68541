"""JSON messages that tell how something long goes on: pulls, pushes, loads, builds.

The operation runs as a task and tells messages without waiting; they leave as the client reads.
As long as nothing has been told a failure is an answer of its own; later it is the last message,
as Docker has it. When the client goes away the operation is cancelled.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from sampan.engine.build.errors import BuildFailed
from sampan.engine.contract import EngineError
from sampan.engine.images.contract import LayerProgress
from sampan.foundation.wire.message import Response

Tell = Callable[[dict[str, Any]], None]
Operation = Callable[[Tell], Awaitable[None]]

_MOST_WAITING_BYTES = 16 * 1024 * 1024
_BAR_WIDTH = 50
_UNITS = ("B", "kB", "MB", "GB", "TB")
_log = logging.getLogger(__name__)


class _Messages:
    """What waits for the client. A newer count of a layer takes the place of the older."""

    def __init__(self) -> None:
        self._waiting: dict[object, bytes] = {}
        self._size = 0
        self._woken = asyncio.Event()
        self._ended = False

    def tell(self, message: dict[str, Any]) -> None:
        key: object = object()
        if message.get("progressDetail"):
            key = (message.get("id"), message["status"])
        data = msgspec.json.encode(message) + b"\r\n"
        size = self._size + len(data) - len(self._waiting.get(key, b""))
        if size > _MOST_WAITING_BYTES:
            return
        self._waiting[key], self._size = data, size
        self._woken.set()

    def end(self, _: object = None) -> None:
        self._ended = True
        self._woken.set()

    async def next(self) -> bytes:
        """All that waits; nothing at the end."""
        while not self._waiting and not self._ended:
            self._woken.clear()
            await self._woken.wait()
        data = b"".join(self._waiting.values())
        self._waiting.clear()
        self._size = 0
        return data


class _Stream(AsyncIterator[bytes]):
    def __init__(self, messages: _Messages, task: asyncio.Task[None], first: bytes) -> None:
        self._messages = messages
        self._task = task
        self._first = first

    async def __anext__(self) -> bytes:
        data, self._first = self._first or await self._messages.next(), b""
        if not data:
            raise StopAsyncIteration
        return data

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def stream(operation: Operation) -> Response:
    """The answer that tells of an operation.

    Raises what the operation raises before it told anything.
    """
    messages = _Messages()
    told = False

    def tell(message: dict[str, Any]) -> None:
        nonlocal told
        told = True
        messages.tell(message)

    async def run() -> None:
        try:
            await operation(tell)
        except (EngineError, OSError) as error:
            if not told or isinstance(error, ConnectionError):
                raise
            code = error.exit_code if isinstance(error, BuildFailed) else 0
            messages.tell(failure(str(error), code))
        except Exception:
            _log.exception("what a client was told about has failed")
            if not told:
                raise
            messages.tell(failure("internal error"))

    task = asyncio.create_task(run())
    task.add_done_callback(messages.end)
    body = _Stream(messages, task, b"")
    try:
        first = await messages.next()
        if not first:
            await task
    except BaseException:
        await body.aclose()
        raise
    body = _Stream(messages, task, first)
    return Response(headers={"Content-Type": "application/json"}, body=body)


def failure(message: str, code: int = 0) -> dict[str, Any]:
    detail: dict[str, Any] = {"code": code} if code else {}
    return {"errorDetail": {**detail, "message": message}, "error": message}


def progress_message(progress: LayerProgress) -> dict[str, Any]:
    """A layer's progress in the shape of Docker's `jsonmessage`."""
    message: dict[str, Any] = {"status": progress.status}
    if progress.total or progress.current:
        counted = {"current": progress.current}
        if progress.total:
            counted["total"] = progress.total
        message["progressDetail"] = counted
        message["progress"] = _bar(progress.current, progress.total)
    elif progress.identifier:
        message["progressDetail"] = {}
    if progress.identifier:
        message["id"] = progress.identifier
    return message


def _bar(current: int, total: int) -> str:
    if total <= 0 or current > total:
        return f"{human_size(current):>8}"
    done = current * _BAR_WIDTH // total
    rest = " " * (_BAR_WIDTH - done)
    return f"[{'=' * done}>{rest}] {human_size(current):>8}/{human_size(total)}"


def human_size(size: float) -> str:
    """Four significant digits, in units of 1000."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.4g}{_UNITS[unit]}"
