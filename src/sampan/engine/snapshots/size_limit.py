"""Folders that may hold so many bytes and no more, where the file system can see to it.

Each such folder has a project of its own, a number that its owner keeps with what it knows of the
folder. Numbers are drawn at random, so that engines, and other programs that use one file system,
never have to agree on them; what the file system counts for a number tells that it is taken.
"""

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from sampan.engine.contract import EngineError
from sampan.host import project_quota

# Small numbers are what people and other programs begin to count with.
_FIRST, _COUNT = 1 << 30, 1 << 30
_TRIES = 64


class SizeLimit(msgspec.Struct, frozen=True):
    """So many bytes for all that is counted for a project."""

    project: int
    size: int


def drawn_number() -> int:
    """One of those that a project may have."""
    return _FIRST + secrets.randbelow(_COUNT)


def free_project(place: Path, draw: Callable[[], int] = drawn_number) -> int:
    """A project that nothing on the file system of `place` belongs to. Raises EngineError,
    OSError."""
    for _ in range(_TRIES):
        project = draw()
        if project_quota.project_usage(place, project) == project_quota.ProjectUsage():
            return project
    raise EngineError(f"no project is free for a quota on the file system of {place}")


def limit_folders(folders: Sequence[Path], limit: SizeLimit) -> None:
    """Hold what will be in some empty folders, together, to a number of bytes.

    The limit is there before anything is counted. Raises OSError.
    """
    project_quota.limit_project(folders[0], limit.project, limit.size)
    for folder in folders:
        project_quota.put_into_project(folder, limit.project)


def give_back(place: Path, project: int) -> None:
    """Let go of a project whose folders are about to be removed; 0 is none. Raises OSError."""
    if project:
        project_quota.limit_project(place, project, 0)
