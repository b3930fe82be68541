"""What a request for a container's log asks for, and the bytes that answer it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from sampan.engine.logs import LogOptions, read_log
from sampan.foundation.wire.message import Request
from sampan.kubernetes.machinery import timestamps

_TRUE = {"1", "true"}
T = TypeVar("T")


def wants_previous(request: Request) -> bool:
    return _flag(request, "previous")


def options(request: Request, now: float) -> LogOptions:
    """The parameters as the API has them (PodLogOptions); sinceSeconds goes before sinceTime.

    Raises ValueError with a message for the caller.
    """
    seconds = _number(request, "sinceSeconds")
    since = _value(request, "sinceTime", timestamps.parse)
    return LogOptions(
        follow=_flag(request, "follow"),
        timestamps=_flag(request, "timestamps"),
        tail=_number(request, "tailLines"),
        limit_bytes=_number(request, "limitBytes") or 0,
        since=now - seconds if seconds is not None else since.timestamp() if since else 0,
    )


def _flag(request: Request, name: str) -> bool:
    return request.parameter(name).lower() in _TRUE


def _number(request: Request, name: str) -> int | None:
    number = _value(request, name, int)
    if number is not None and number < 0:
        raise ValueError(f"{name} must not be negative")
    return number


def _value(request: Request, name: str, read: Callable[[str], T]) -> T | None:
    text = request.parameter(name)
    if not text:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{name}: {text!r} can't be read") from error


async def output(
    path: Path, wanted: LogOptions, end: Callable[[], Awaitable[object]]
) -> AsyncIterator[bytes]:
    """The log's bytes; when it is followed, until `end` returns and all was read."""
    ended = asyncio.Event()
    waiting = asyncio.create_task(_set_after(end, ended)) if wanted.follow else None
    try:
        async for _, piece in read_log(path, wanted, ended):
            yield piece
    finally:
        if waiting is not None:
            waiting.cancel()


async def _set_after(end: Callable[[], Awaitable[object]], ended: asyncio.Event) -> None:
    try:
        await end()
    finally:
        ended.set()
