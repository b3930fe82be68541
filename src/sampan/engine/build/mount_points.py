"""The empty files and folders that a runtime makes to mount upon: they are no part of a layer.

Everything is looked up within the root, links in it included: the command that ran there may
have put links in place of what was found before.
"""

import errno
import os
import stat
from collections.abc import Iterable, Sequence

from sampan.host import paths


def missing_points(root: int, targets: Iterable[str]) -> list[str]:
    """The paths on the way to each target that are not there yet, the upper ones first."""
    missing: dict[str, None] = {}
    for target in targets:
        walked = ""
        for part in target.strip("/").split("/"):
            walked = f"{walked}/{part}"
            if not _is_there(root, walked):
                missing[walked] = None
    return list(missing)


def remove_points(root: int, points: Sequence[str]) -> None:
    """Take away those that are there now and empty; their folders' times stay."""
    for point in sorted(points, key=lambda path: -path.count("/")):
        above, _, name = point.rpartition("/")
        try:
            with paths.opened_in_root(root, above or ".", os.O_RDONLY | os.O_DIRECTORY) as folder:
                _remove_empty(folder, name)
        except (FileNotFoundError, NotADirectoryError):
            continue


def _remove_empty(folder: int, name: str) -> None:
    before = os.fstat(folder)
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.rmdir(name, dir_fd=folder)
        elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
            os.unlink(name, dir_fd=folder)
        else:
            return
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTEMPTY, errno.EBUSY):
            return
        raise
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


def _is_there(root: int, path: str) -> bool:
    try:
        os.close(paths.open_in_root(root, path, os.O_PATH))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
