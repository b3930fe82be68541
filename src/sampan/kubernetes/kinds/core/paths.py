"""The rules of paths in volumes."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.kind import Cause
from sampan.kubernetes.machinery.causes import invalid


def check_local_path(path: str, field: str) -> Iterator[Cause]:
    """A path that must stay below its volume."""
    if path.startswith("/"):
        yield invalid(field, path, "must be a relative path")
    yield from check_no_ascent(path, field)


def check_file_path(path: str, field: str) -> Iterator[Cause]:
    """The path of a file that a volume is filled with: local, and its name begins with no `..`."""
    yield from check_local_path(path, field)
    if path.startswith("..") and not path.startswith("../") and path != "..":
        yield invalid(field, path, "must not start with '..'")


def check_no_ascent(path: str, field: str) -> Iterator[Cause]:
    if ".." in path.split("/"):
        yield invalid(field, path, "must not contain '..'")
