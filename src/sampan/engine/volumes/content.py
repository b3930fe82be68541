"""Giving a fresh volume what an image has at its place: owners, modes, times, links and all.

Neither tree is trusted: folders are opened without following links, and only below their tops.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from sampan.host import paths

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_SOURCE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TARGET = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20


def copy_content(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Copy all that is in a folder, and the folder's own facts, to an empty one (OSError).

    Sockets and devices are left out.
    """
    with paths.opened_folder(source) as source_top, paths.opened_folder(target) as target_top:
        _Copy(source_top, target_top).run()


class _Copy:
    def __init__(self, source: int, target: int) -> None:
        self._source = source
        self._target = target
        self._links: dict[tuple[int, int], str] = {}

    def run(self) -> None:
        """Folders get their times last, when nothing is put into them any more."""
        pending, done = [""], []
        while pending:
            folder = pending.pop()
            done.append(folder)
            pending += self._copy_folder(folder)
        for folder in reversed(done):
            with _opened(self._source, folder) as source, _opened(self._target, folder) as target:
                _copy_facts(source, target)

    def _copy_folder(self, folder: str) -> list[str]:
        """Copy what is in one folder; the folders in it are made, and returned."""
        found = []
        with _opened(self._source, folder) as source, _opened(self._target, folder) as target:
            for name in os.listdir(source):
                status = os.stat(name, dir_fd=source, follow_symlinks=False)
                path = f"{folder}/{name}" if folder else name
                if stat.S_ISDIR(status.st_mode):
                    os.mkdir(name, 0o700, dir_fd=target)
                    found.append(path)
                else:
                    self._copy_leaf(source, target, name, path, status)
        return found

    def _copy_leaf(
        self, source: int, target: int, name: str, path: str, status: os.stat_result
    ) -> None:
        key = (status.st_dev, status.st_ino)
        if key in self._links:
            os.link(self._links[key], name, src_dir_fd=self._target, dst_dir_fd=target)
            return
        if stat.S_ISREG(status.st_mode):
            _copy_file(source, target, name)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
            times = (status.st_atime_ns, status.st_mtime_ns)
            os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)
        elif stat.S_ISFIFO(status.st_mode):
            os.mkfifo(name, 0o600, dir_fd=target)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
            os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target)
        else:
            return
        if status.st_nlink > 1:
            self._links[key] = path


@contextmanager
def _opened(top: int, folder: str) -> Iterator[int]:
    descriptor = paths.open_beneath(top, folder or ".", _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copy_file(source: int, target: int, name: str) -> None:
    reading = os.open(name, _SOURCE, dir_fd=source)
    try:
        writing = os.open(name, _TARGET, 0o600, dir_fd=target)
        try:
            while os.sendfile(writing, reading, None, _CHUNK):
                continue
            _copy_facts(reading, writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _copy_facts(source: int, target: int) -> None:
    """Owner before mode and attributes: chown(2) takes setuid bits and capabilities away."""
    status = os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    for attribute in os.listxattr(source):
        if attribute.startswith(("user.", "security.capability")):
            os.setxattr(target, attribute, os.getxattr(source, attribute))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
