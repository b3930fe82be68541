"""The engine's errors as HTTP has them: the one place where they are translated."""

from sampan.engine.build.errors import BuildFailed
from sampan.engine.contract import (
    CommandNotFound,
    Conflict,
    EngineError,
    Forbidden,
    InvalidConfiguration,
    NotFound,
    NotImplementedHere,
    NotModified,
)
from sampan.engine.images.reference import InvalidReference


class Refused(EngineError):
    """A status that no error of the engine stands for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


_STATUSES: tuple[tuple[type[EngineError], int], ...] = (
    (NotModified, 304),
    (NotFound, 404),
    (Conflict, 409),
    (InvalidConfiguration, 400),
    (InvalidReference, 400),
    (CommandNotFound, 400),
    (BuildFailed, 400),
    (Forbidden, 403),
    (NotImplementedHere, 501),
)


def status_of(error: EngineError) -> int:
    if isinstance(error, Refused):
        return error.status
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return 500
