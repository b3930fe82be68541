"""Unpacking an archive into a tree that is there already: a build's context, or what ADD names.

Every path of the archive is looked up within the tree, links in it included, so that nothing
outside can be read or written, whatever the archive says. Decompression is done in process: no
program of any image is asked.
"""

import os
import posixpath
import tarfile
from collections.abc import Callable
from typing import BinaryIO

from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.tree_copy import make_folders, refuse_whiteout, remove_old, restore_times
from sampan.engine.images.documents import InvalidImage
from sampan.engine.images.extraction import entry_path
from sampan.engine.images.streams import CHUNK, Readable, archive_entries, decompressed
from sampan.host import paths

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 512

Owner = tuple[int, int]
Times = Callable[[float], float]


def is_archive(file: BinaryIO) -> bool:
    """Whether a file is a tar archive, compressed or not; it is at its start afterwards."""
    try:
        head, stream = b"", decompressed(file)
        while len(head) < _BLOCK and (piece := stream.read(_BLOCK - len(head))):
            head += piece
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (InvalidImage, tarfile.TarError):
        return False
    finally:
        file.seek(0)
    return True


def unpack_into(
    root: int,
    folder: str,
    stream: Readable,
    *,
    owner: Owner | None = None,
    times: Times = lambda time: time,
    keeps_whiteouts: bool = False,
) -> None:
    """Unpack a tar stream, compressed or not, into `folder` of the tree behind `root`. Blocks.

    `owner` takes the place of the archive's owners. Raises BuildFailed, OSError.
    """
    target = _Target(root, folder, owner, times, keeps_whiteouts=keeps_whiteouts)
    try:
        os.close(make_folders(root, folder))
        for entry, content in archive_entries(_WholeBlocks(decompressed(stream))):
            target.put(entry, content)
    except (InvalidImage, tarfile.TarError) as error:
        raise BuildFailed(f"an archive can't be unpacked: {error}") from error
    target.finish()


class _WholeBlocks:
    """Fills the last block up with zeros: Docker's clients leave that out when they add a
    Dockerfile to a context. Nothing at all becomes an archive of nothing."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._size = 0

    def read(self, size: int = -1, /) -> bytes:
        missing = -self._size % _BLOCK if self._size else _BLOCK
        data = self._stream.read(size) or b"\0" * missing
        self._size += len(data)
        return data


class _Target:
    def __init__(
        self, root: int, folder: str, owner: Owner | None, times: Times, *, keeps_whiteouts: bool
    ) -> None:
        self._root = root
        self._folder = folder
        self._owner = owner
        self._times = times
        self._keeps_whiteouts = keeps_whiteouts
        self._folder_times: dict[str, float] = {}

    def put(self, entry: tarfile.TarInfo, content: Readable) -> None:
        relative = entry_path(entry.name)
        path = posixpath.join(self._folder, relative)
        if not relative:
            return
        if entry.isdir():
            self._put_folder(path, entry)
            return
        above, _, name = path.rpartition("/")
        if not self._keeps_whiteouts:
            refuse_whiteout(name)
        parent = make_folders(self._root, above)
        try:
            before = os.fstat(parent)
            if entry.islnk():
                self._link(parent, name, path, entry)
            else:
                remove_old(parent, name, path)
                self._make(parent, name, entry, content)
                self._describe(parent, name, entry)
            restore_times(parent, before)
        finally:
            os.close(parent)

    def finish(self) -> None:
        """Folders get their times last, since putting files into them changes them."""
        for path, time in self._folder_times.items():
            try:
                with paths.opened_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY) as folder:
                    _set_time(folder, time)
            except (FileNotFoundError, NotADirectoryError):
                continue

    def _put_folder(self, path: str, entry: tarfile.TarInfo) -> None:
        folder = make_folders(self._root, path)
        try:
            os.fchown(folder, *(self._owner or (entry.uid, entry.gid)))
            os.fchmod(folder, entry.mode & 0o7777)
            self._folder_times[path] = self._times(entry.mtime)
        finally:
            os.close(folder)

    def _link(self, parent: int, name: str, path: str, entry: tarfile.TarInfo) -> None:
        target = posixpath.join(self._folder, entry_path(entry.linkname))
        above, _, source = target.rpartition("/")
        with paths.opened_in_root(self._root, above or ".", os.O_PATH | os.O_DIRECTORY) as folder:
            there, here = os.fstat(folder), os.fstat(parent)
            if (there.st_ino, there.st_dev, source) == (here.st_ino, here.st_dev, name):
                return
            remove_old(parent, name, path)
            os.link(source, name, src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)

    def _make(self, parent: int, name: str, entry: tarfile.TarInfo, content: Readable) -> None:
        if entry.isreg():
            _write(parent, name, content)
        elif entry.issym():
            os.symlink(entry.linkname, name, dir_fd=parent)
        elif entry.isfifo():
            os.mkfifo(name, dir_fd=parent)
        else:
            raise BuildFailed(f"{entry.name[:200]} is a device node; an image can't hold one")

    def _describe(self, parent: int, name: str, entry: tarfile.TarInfo) -> None:
        owner = self._owner or (entry.uid, entry.gid)
        os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
        if not entry.issym():
            # chown(2) takes setuid bits away, so the mode comes after it.
            os.chmod(name, entry.mode & 0o7777, dir_fd=parent)
        moment = int(self._times(entry.mtime) * 1_000_000_000)
        os.utime(name, ns=(moment, moment), dir_fd=parent, follow_symlinks=False)


def _write(parent: int, name: str, content: Readable) -> None:
    descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
    try:
        while piece := content.read(CHUNK):
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _set_time(descriptor: int, time: float) -> None:
    moment = int(time * 1_000_000_000)
    os.utime(descriptor, ns=(moment, moment))
