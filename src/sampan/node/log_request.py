"""What a request for a container's log asks for, and the bytes that answer it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from sampan.engine.logs import LogOptions, read_log
from sampan.foundation.wire.message import Request
from sampan.kubernetes.machinery import timestamps
from sampan.node.request_values import flag, number, value


def wants_previous(request: Request) -> bool:
    return flag(request, "previous")


def options(request: Request, now: float) -> LogOptions:
    """The parameters as the API has them (PodLogOptions); sinceSeconds goes before sinceTime.

    Raises ValueError with a message for the caller.
    """
    seconds = number(request, "sinceSeconds")
    since = value(request, "sinceTime", timestamps.parse)
    return LogOptions(
        follow=flag(request, "follow"),
        timestamps=flag(request, "timestamps"),
        tail=number(request, "tailLines"),
        limit_bytes=number(request, "limitBytes") or 0,
        since=now - seconds if seconds is not None else since.timestamp() if since else 0,
    )


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
