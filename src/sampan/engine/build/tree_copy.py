"""Putting files from a source tree into an image's root, the way COPY does.

The destination is resolved within the root, links in it included. Folders that had to be made,
and those that were changed on the way, get times that don't depend on when this ran.
"""

import errno
import os
import stat
from typing import Protocol

import msgspec

from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.file_mode import FileMode
from sampan.engine.build.source_tree import CAPABILITY, SourceEntry, SourceTree
from sampan.engine.images.extraction import WHITEOUT_PREFIX
from sampan.host import paths

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20


class Ownership(msgspec.Struct, frozen=True):
    """Who owns what is copied, and its mode if that is not the source's."""

    uid: int = 0
    gid: int = 0
    mode: FileMode | None = None

    def mode_of(self, mode: int) -> int:
        """The permission bits of the copy of a file with this `st_mode`."""
        return stat.S_IMODE(mode) if self.mode is None else self.mode.applied(mode)


class Times(Protocol):
    def __call__(self, status: os.stat_result) -> int: ...


def clamped(latest: int | None) -> Times:
    """The modification time in ns of a source, not later than SOURCE_DATE_EPOCH (seconds)."""

    def times(status: os.stat_result) -> int:
        if latest is None:
            return status.st_mtime_ns
        return min(status.st_mtime_ns, latest * 1_000_000_000)

    return times


def copy_into(
    root: int,
    destination: str,
    tree: SourceTree,
    source: str,
    *,
    ownership: Ownership,
    times: Times,
) -> None:
    """Copy a folder's content into the folder `destination`, or a file to it.

    Raises BuildFailed, OSError.
    """
    for entry in tree.entries(source):
        if stat.S_ISDIR(entry.status.st_mode):
            _copy_folder(root, _joined(destination, entry.path), entry, ownership, times)
        else:
            _copy_leaf(root, _joined(destination, entry.path), entry, ownership, times)


def is_folder(root: int, path: str) -> bool:
    """Whether a path leads to a folder within the root."""
    try:
        os.close(paths.open_in_root(root, path or ".", os.O_PATH | os.O_DIRECTORY))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def make_folders(root: int, path: str) -> int:
    """A descriptor of a folder within the root, made with those above it if need be.

    Raises BuildFailed when something else is in the way.
    """
    current = os.dup(root)
    walked = ""
    for part in (part for part in path.split("/") if part not in ("", ".")):
        walked = f"{walked}/{part}"
        try:
            following = paths.open_in_root(root, walked, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            following = _make_folder(current, part, walked)
        except OSError as error:
            raise BuildFailed(f"{walked[:100]} is in the way: {error.strerror}") from error
        finally:
            os.close(current)
        current = following
    return current


def _make_folder(parent: int, name: str, path: str) -> int:
    before = os.fstat(parent)
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError as error:
        raise BuildFailed(f"{path[:100]} is a link that leads nowhere") from error
    refuse_whiteout(name)
    made = os.open(name, _FOLDER, dir_fd=parent)
    os.utime(made, ns=(0, 0))
    restore_times(parent, before)
    return made


def _copy_folder(
    root: int, path: str, entry: SourceEntry, ownership: Ownership, times: Times
) -> None:
    existed = is_folder(root, path)
    folder = make_folders(root, path)
    try:
        if not existed or entry.path:
            os.fchown(folder, ownership.uid, ownership.gid)
            os.fchmod(folder, ownership.mode_of(entry.status.st_mode))
            moment = times(entry.status)
            os.utime(folder, ns=(moment, moment))
    finally:
        os.close(folder)


def _copy_leaf(
    root: int, path: str, entry: SourceEntry, ownership: Ownership, times: Times
) -> None:
    folder_path, _, name = path.rstrip("/").rpartition("/")
    refuse_whiteout(name)
    folder = make_folders(root, folder_path)
    try:
        before = os.fstat(folder)
        remove_old(folder, name, path)
        moment = times(entry.status)
        if stat.S_ISLNK(entry.status.st_mode):
            os.symlink(entry.link_target, name, dir_fd=folder)
        elif stat.S_ISREG(entry.status.st_mode):
            _copy_file(folder, name, entry, ownership)
        else:
            raise BuildFailed(f"{entry.path or path} is neither a file, a folder nor a link")
        os.chown(name, ownership.uid, ownership.gid, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(entry.status.st_mode):
            # chown(2) takes setuid bits away, so the mode comes after it.
            os.chmod(name, ownership.mode_of(entry.status.st_mode), dir_fd=folder)
        os.utime(name, ns=(moment, moment), dir_fd=folder, follow_symlinks=False)
        restore_times(folder, before)
    finally:
        os.close(folder)


def refuse_whiteout(name: str) -> None:
    """Raises BuildFailed for a name that in a layer means the absence of another file."""
    if name.startswith(WHITEOUT_PREFIX):
        raise BuildFailed(f"{name[:100]}: names that begin with .wh. can't be in an image")


def remove_old(folder: int, name: str, path: str) -> None:
    """Make way for a file. Raises BuildFailed when a folder is there."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EPERM):
            raise BuildFailed(f"{path[:100]} is a folder; a file can't replace it") from error
        raise


def _copy_file(folder: int, name: str, entry: SourceEntry, ownership: Ownership) -> None:
    with entry.opened() as source:
        target = os.open(name, _NEW_FILE, 0o600, dir_fd=folder)
        try:
            while os.sendfile(target, source, None, _CHUNK):
                continue
            if CAPABILITY in os.listxattr(source):
                os.fchown(target, ownership.uid, ownership.gid)
                os.setxattr(target, CAPABILITY, os.getxattr(source, CAPABILITY))
        finally:
            os.close(target)


def restore_times(folder: int, before: os.stat_result) -> None:
    """A folder that something was put into looks as if it hadn't been touched."""
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


def _joined(folder: str, path: str) -> str:
    return f"{folder.rstrip('/')}/{path}" if path else folder
