"""What a request for a container's log asks for, and the bytes that answer it."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from sampan.foundation.wire.message import Request
from sampan.kubernetes.machinery import timestamps

_TRUE = {"1", "true"}
T = TypeVar("T")


class LogRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`tail` and `limit_bytes` None mean all."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    limit_bytes: int | None = None
    since: datetime | None = None


def parse(request: Request, now: datetime) -> LogRequest:
    """Raises ValueError with a message for the caller."""
    seconds = _number(request, "sinceSeconds")
    since = _value(request, "sinceTime", timestamps.parse)
    if seconds is not None:
        since = now.fromtimestamp(now.timestamp() - seconds, now.tzinfo)
    return LogRequest(
        follow=_flag(request, "follow"),
        previous=_flag(request, "previous"),
        timestamps=_flag(request, "timestamps"),
        tail=_number(request, "tailLines"),
        limit_bytes=_number(request, "limitBytes"),
        since=since,
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
