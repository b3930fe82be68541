"""The empty files and folders that a runtime makes to mount upon: they are no part of a layer.

Everything is looked up within the root, links in it included: the command that ran there may
have put links in place of what was found before.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from sampan.engine.images.extraction import OPAQUE_ATTRIBUTE
from sampan.host import paths


class MountPoints(msgspec.Struct, frozen=True):
    """`missing` are paths that are not there yet, the upper ones first; `folders` are those that
    they are going to be put into, with their times and names before."""

    missing: tuple[str, ...]
    folders: dict[str, tuple[tuple[int, int], frozenset[str]]]


def find_points(root: int, targets: Iterable[str]) -> MountPoints:
    """What a runtime is going to make on the way to each target."""
    missing: dict[str, None] = {}
    folders: dict[str, tuple[tuple[int, int], frozenset[str]]] = {}
    for target in targets:
        walked = ""
        for part in target.strip("/").split("/"):
            above, walked = walked, f"{walked}/{part}"
            if _is_there(root, walked):
                continue
            missing[walked] = None
            if above not in missing and above not in folders:
                with paths.opened_in_root(root, above or ".", os.O_RDONLY) as folder:
                    status = os.fstat(folder)
                    names = frozenset(os.listdir(folder))
                    folders[above] = ((status.st_atime_ns, status.st_mtime_ns), names)
    return MountPoints(tuple(missing), folders)


def remove_points(root: int, points: MountPoints) -> None:
    """Take away those that are there now and empty.

    A folder that nothing else was put into, or taken out of, looks as it did before.
    """
    for point in sorted(points.missing, key=lambda path: -path.count("/")):
        above, _, name = point.rpartition("/")
        with _found(root, above) as folder:
            if folder is not None:
                _remove_empty(folder, name)
    for path, (times, names) in points.folders.items():
        with _found(root, path) as folder:
            if folder is not None and names == set(os.listdir(folder)):
                os.utime(folder, ns=times)


def drop_copies(upper: Path, lower: Sequence[Path], folders: Iterable[str]) -> None:
    """Take folders that were only copied up out of an overlay's upper folder, and those above.

    The view must be unmounted. A folder goes that is empty there and looks as it does below.
    """
    with ExitStack() as stack:
        root = stack.enter_context(paths.opened_folder(upper))
        below = [stack.enter_context(paths.opened_folder(folder)) for folder in lower]
        for folder in folders:
            path = folder.strip("/")
            while path and _is_copy(root, below, path):
                above, _, name = path.rpartition("/")
                with _opened(root, above) as parent:
                    before = os.fstat(parent)
                    os.rmdir(name, dir_fd=parent)
                    os.utime(parent, ns=(before.st_atime_ns, before.st_mtime_ns))
                path = above


def _is_copy(root: int, below: Sequence[int], path: str) -> bool:
    try:
        with _opened(root, path) as folder:
            if os.listdir(folder) or OPAQUE_ATTRIBUTE in os.listxattr(folder):
                return False
            here = os.fstat(folder)
    except OSError:  # it was never copied up
        return False
    for lower in below:
        try:
            with _opened(lower, path) as folder:
                there = os.fstat(folder)
        except FileNotFoundError:
            continue
        except OSError:
            return False
        return _looks(here) == _looks(there)
    return False


def _looks(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns


@contextmanager
def _opened(root: int, path: str) -> Iterator[int]:
    folder = paths.open_beneath(root, path or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def _found(root: int, path: str) -> Iterator[int | None]:
    try:
        folder = paths.open_in_root(root, path or ".", os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    try:
        yield folder
    finally:
        os.close(folder)


def _remove_empty(folder: int, name: str) -> None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.rmdir(name, dir_fd=folder)
        elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
            os.unlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EBUSY):
            raise


def _is_there(root: int, path: str) -> bool:
    try:
        os.close(paths.open_in_root(root, path, os.O_PATH))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
