"""A tar archive of a container's files, through descriptors only.

Nothing is opened by a path of the container's but with openat2(2), or by a name within a folder
that is held open, never following a symlink. Sockets are left out, as no archive can hold them.
"""

import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any

from sampan.engine.containers.contract import PathStatus
from sampan.host import paths
from sampan.host.identifier_maps import OwnerMaps

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KEPT_ATTRIBUTES = ("security.capability",)
_CHUNK = 1 << 20


def status_of(root: int, path: str) -> PathStatus:
    """What a path is; a symlink in the last place isn't followed. Raises OSError."""
    with paths.opened_in_root(root, _path(path), _flags(path)) as found:
        status = os.fstat(found)
        target = ""
        if stat.S_ISLNK(status.st_mode):
            target = _link_target(root, path, os.readlink("", dir_fd=found))
    return PathStatus(
        name=_name(path),
        size=status.st_size,
        mode=status.st_mode,
        modified=status.st_mtime_ns,
        link_target=target,
    )


def write_path(root: int, path: str, file: Any, owners: OwnerMaps) -> None:
    """Write an archive of a file, or of a folder with all below it; its name comes first.

    Owners are told as the container sees them.
    """
    with (
        paths.opened_in_root(root, _path(path), _flags(path)) as found,
        tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        writer = _Writer(archive, owners)
        if stat.S_ISDIR(os.fstat(found).st_mode):
            with ExitStack() as stack:
                folder = os.open(".", _FOLDER, dir_fd=found)
                stack.callback(os.close, folder)
                writer.add_folder(folder, _name(path))
        else:
            parent, name = posixpath.split(_path(path).rstrip("/") or "/")
            with paths.opened_in_root(root, parent or "/", _FOLDER & ~os.O_NOFOLLOW) as folder:
                writer.add(folder, name, _name(path))


def write_root(root: int, file: Any, owners: OwnerMaps) -> None:
    """Write an archive of the whole root in the same way; names have no slash before them."""
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        writer = _Writer(archive, owners)
        for name in sorted(os.listdir(root)):
            writer.add(root, name, name)


class _Writer:
    def __init__(self, archive: tarfile.TarFile, owners: OwnerMaps) -> None:
        self._archive = archive
        self._owners = owners
        self._seen: dict[tuple[int, int], str] = {}

    def add_folder(self, folder: int, name: str) -> None:
        """A folder that is open, and all below it; it stays open."""
        self._archive.addfile(self._header(os.fstat(folder), name, folder))
        for entry in sorted(os.listdir(folder)):
            self.add(folder, entry, posixpath.join(name, entry))

    def add(self, folder: int, entry: str, name: str) -> None:
        """One entry of an open folder, and what is below it; what vanishes is left out."""
        opened: list[tuple[int, Iterator[str], str]] = []
        try:
            self._add_one(folder, entry, name, opened)
            while opened:
                current, entries, prefix = opened[-1]
                following = next(entries, None)
                if following is None:
                    os.close(opened.pop()[0])
                else:
                    self._add_one(current, following, f"{prefix}/{following}", opened)
        finally:
            for descriptor, _, _ in opened:
                os.close(descriptor)

    def _add_one(
        self, folder: int, entry: str, name: str, opened: list[tuple[int, Iterator[str], str]]
    ) -> None:
        try:
            status = os.stat(entry, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                descriptor = os.open(entry, _FOLDER, dir_fd=folder)
                self._archive.addfile(self._header(os.fstat(descriptor), name, descriptor))
                opened.append((descriptor, iter(sorted(os.listdir(descriptor))), name))
            elif stat.S_ISREG(status.st_mode):
                self._add_file(folder, entry, name)
            elif not stat.S_ISSOCK(status.st_mode):
                header = self._header(status, name)
                if header.issym():
                    header.linkname = os.readlink(entry, dir_fd=folder)
                self._archive.addfile(header)
        except (FileNotFoundError, NotADirectoryError):
            return

    def _header(
        self, status: os.stat_result, name: str, descriptor: int | None = None
    ) -> tarfile.TarInfo:
        header = _header(status, name, descriptor)
        header.uid, header.gid = self._owners.inside(header.uid, header.gid)
        return header

    def _add_file(self, folder: int, entry: str, name: str) -> None:
        descriptor = os.open(entry, _FILE, dir_fd=folder)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return
            header = self._header(status, name, descriptor)
            key = (status.st_dev, status.st_ino)
            if status.st_nlink > 1 and key in self._seen:
                header.type, header.linkname, header.size = tarfile.LNKTYPE, self._seen[key], 0
                self._archive.addfile(header)
                return
            self._seen[key] = name
            header.size = status.st_size
            self._archive.addfile(header, _Steady(file, status.st_size))


class _Steady:
    """A file of the size that was told, although it may shrink or grow while it is read."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        wanted = min(self._left, _CHUNK if size < 0 else size)
        data = self._file.read(wanted) or bytes(wanted)
        self._left -= len(data)
        return data + bytes(wanted - len(data)) if self._short(data, wanted) else data

    def _short(self, data: bytes, wanted: int) -> bool:
        missing = wanted - len(data)
        self._left -= missing
        return missing > 0


def _header(status: os.stat_result, name: str, descriptor: int | None = None) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.mode = stat.S_IMODE(status.st_mode)
    header.uid, header.gid = status.st_uid, status.st_gid
    header.mtime = int(status.st_mtime)
    header.type = {
        stat.S_IFDIR: tarfile.DIRTYPE,
        stat.S_IFLNK: tarfile.SYMTYPE,
        stat.S_IFIFO: tarfile.FIFOTYPE,
        stat.S_IFCHR: tarfile.CHRTYPE,
        stat.S_IFBLK: tarfile.BLKTYPE,
    }.get(stat.S_IFMT(status.st_mode), tarfile.REGTYPE)
    if header.isdev():
        header.devmajor, header.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    if descriptor is not None:
        header.pax_headers = _attributes(descriptor)
    return header


def _attributes(descriptor: int) -> dict[str, str]:
    found = {}
    for name in sorted(os.listxattr(descriptor)):
        if name in _KEPT_ATTRIBUTES or name.startswith("user."):
            value = os.getxattr(descriptor, name)
            found[f"SCHILY.xattr.{name}"] = value.decode("utf-8", "surrogateescape")
    return found


def _path(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _flags(path: str) -> int:
    """A slash or a dot at the end asks for what a symlink leads to."""
    follows = path.endswith(("/", "/."))
    return os.O_PATH | (0 if follows else os.O_NOFOLLOW)


def _name(path: str) -> str:
    """The name that an archive's entries begin with."""
    if path.endswith("/."):
        return "."
    return posixpath.basename(posixpath.normpath(_path(path))) or "/"


def _link_target(root: int, path: str, link: str) -> str:
    """Where a symlink leads within the root; as far as it can be said if that is not there."""
    try:
        with paths.opened_in_root(root, _path(path), os.O_PATH) as found:
            place = os.readlink(f"/proc/self/fd/{found}")
    except OSError:
        joined = posixpath.join(posixpath.dirname(_path(path)), link)
        return posixpath.normpath(joined)
    base = os.readlink(f"/proc/self/fd/{root}")
    return place.removeprefix(base) or "/"
