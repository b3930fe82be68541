"""Deleting a folder with all that lies in it, however hostile whoever filled it was.

A container may nest folders deeper than any recursion, or any path name, reaches. So nothing is
descended into: each folder's folders are moved up beside it and are emptied in their turn, with
three descriptors open at any depth. What lies in the folder is not known here.
"""

import errno
import itertools
import os
from collections.abc import Iterator

from sampan.host import paths

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def remove_tree(path: str | os.PathLike[str]) -> None:
    """Delete the folder `path`; an interrupted removal is taken up by the next.

    Another file system mounted below is not touched. Raises OSError: FileNotFoundError when
    nothing is there, EBUSY for such a mount.
    """
    with paths.opened_folder(path) as top:
        device = os.fstat(top).st_dev
        # Names are only tried upwards, so that names laid in the way cost one try each.
        names = map(str, itertools.count())
        while entries := os.listdir(top):
            for name in entries:
                if not _unlink(top, name):
                    _empty(top, name, names, device)
                    os.rmdir(name, dir_fd=top)
    os.rmdir(path)


def _empty(top: int, name: str, names: Iterator[str], device: int) -> None:
    """Delete a folder's files and move its folders up into `top`."""
    folder = os.open(name, _FOLDER, dir_fd=top)
    try:
        if os.fstat(folder).st_dev != device:
            raise OSError(errno.EBUSY, "another file system is mounted here", name)
        for entry in os.listdir(folder):
            if not _unlink(folder, entry):
                _move_up(folder, entry, top, names)
    finally:
        os.close(folder)


def _unlink(folder: int, name: str) -> bool:
    """False for a folder, which unlink(2) leaves alone."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        return False
    return True


def _move_up(folder: int, entry: str, top: int, names: Iterator[str]) -> None:
    for name in names:
        try:
            os.rename(entry, name, src_dir_fd=folder, dst_dir_fd=top)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        else:
            return
