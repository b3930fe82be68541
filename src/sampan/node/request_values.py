"""Reading the parameters of a request to the node's API."""

from collections.abc import Callable
from typing import TypeVar

from sampan.foundation.wire.message import Request

_TRUE = {"1", "true"}
T = TypeVar("T")


def flag(request: Request, *names: str) -> bool:
    """Whether one of these parameters is set; kubelets and API servers name some differently."""
    return any(request.parameter(name).lower() in _TRUE for name in names)


def number(request: Request, name: str) -> int | None:
    """A count; None when it isn't given. Raises ValueError with a message for the caller."""
    found = value(request, name, int)
    if found is not None and found < 0:
        raise ValueError(f"{name} must not be negative")
    return found


def value(request: Request, name: str, read: Callable[[str], T]) -> T | None:
    """A parameter as `read` understands it; None when it isn't given. Raises ValueError."""
    text = request.parameter(name)
    if not text:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{name}: {text!r} can't be read") from error
