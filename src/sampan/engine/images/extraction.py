"""Unpacking one layer into a folder that overlayfs can take as a lower layer.

Every entry is put in place through descriptors, with no symlink followed on the way, so that
nothing can be written outside the folder. Whiteouts become what overlayfs understands: a
character device 0/0, or the attribute `trusted.overlay.opaque`. Device nodes are refused, but
below /dev, where nobody would ever see them, they are left out. Sources: the OCI image
specification, "Image Layer Filesystem Changeset"; kernel documentation, overlayfs.
"""

import errno
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sampan.engine.images.documents import InvalidImage
from sampan.engine.images.streams import CHUNK, HashingReader, Readable, archive_entries
from sampan.engine.images.tar_headers import segments_of
from sampan.host import paths

WHITEOUT_PREFIX = ".wh."
OPAQUE_MARKER = ".wh..wh..opq"
OPAQUE_ATTRIBUTE = "trusted.overlay.opaque"
_RESERVED_PREFIX = ".wh..wh."
_PAX_ATTRIBUTE = "SCHILY.xattr."
_HARMLESS_ATTRIBUTES = ("user.", "system.posix_acl_")
_CAPABILITY_ATTRIBUTE = "security.capability"
_CAPABILITY_SIZES = (12, 20, 24)
_ATTRIBUTE_LIMIT = 64 * 1024
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Every container has a /dev of its own over this.
_HIDDEN = "dev/"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def extract_layer(stream: HashingReader, target: Path, lower: Sequence[Path]) -> int:
    """Unpack a tar stream into the empty folder `target`; `lower` are the layers below it,
    the topmost first. The sum of its files' and links' sizes. Raises InvalidImage, OSError."""
    with ExitStack() as stack:
        root = stack.enter_context(paths.opened_folder(target))
        below = [stack.enter_context(paths.opened_folder(folder)) for folder in lower]
        layer = _Layer(root, below)
        try:
            for entry, content in archive_entries(stream, with_holes=True):
                layer.put(entry, content)
            layer.finish()
        finally:
            layer.close()
    stream.drain()
    return layer.size


class _Layer:
    def __init__(self, root: int, below: Sequence[int]) -> None:
        self._root = root
        self._below = below
        self._folder_times: dict[str, float] = {"": 0}
        self._parent_path: str | None = None
        self._parent = -1
        self.size = 0

    def put(self, entry: tarfile.TarInfo, content: Readable) -> None:
        path = entry_path(entry.name)
        if not path:
            if not entry.isdir():
                raise InvalidImage("the root of a layer is not a folder")
            _describe(self._root, entry)
            self._folder_times[""] = entry.mtime
            return
        folder, _, name = path.rpartition("/")
        parent = self._open_parent(folder)
        try:
            if name.startswith(WHITEOUT_PREFIX):
                self._white_out(parent, name)
            else:
                self._make(parent, name, path, entry, content)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            raise InvalidImage(f"entry {path[:200]!r} can't be unpacked: {error}") from error

    def finish(self) -> None:
        """Set the times of folders last, since putting entries into them changes them."""
        for path, time in sorted(self._folder_times.items(), reverse=True):
            try:
                folder = paths.open_beneath(self._root, path or ".", _FOLDER)
            except (FileNotFoundError, NotADirectoryError):
                continue
            try:
                _set_times(folder, time)
            finally:
                os.close(folder)

    def close(self) -> None:
        if self._parent >= 0:
            os.close(self._parent)
            self._parent = -1

    def _make(
        self, parent: int, name: str, path: str, entry: tarfile.TarInfo, content: Readable
    ) -> None:
        existing = _mode_of(parent, name)
        if entry.isdir():
            self._make_folder(parent, name, existing, entry)
            self._folder_times[path] = entry.mtime
            return
        if existing is not None:
            _remove(parent, name, existing)
        if entry.isreg():
            _write_file(parent, name, entry, content)
            self.size += entry.size
        elif entry.issym():
            os.symlink(entry.linkname, name, dir_fd=parent)
            os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
            _set_link_times(parent, name, entry.mtime)
            self.size += len(os.fsencode(entry.linkname))
        elif entry.islnk():
            self._link(parent, name, entry)
        elif entry.isfifo():
            os.mkfifo(name, entry.mode & 0o7777, dir_fd=parent)
            os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        elif entry.isdev() and path.startswith(_HIDDEN):
            return
        else:
            raise InvalidImage(f"entry {path[:200]!r} is a device or of an unknown type")

    def _make_folder(
        self, parent: int, name: str, existing: int | None, entry: tarfile.TarInfo
    ) -> None:
        hides_lower = existing is not None and stat.S_ISCHR(existing)
        if existing is not None and not stat.S_ISDIR(existing):
            _remove(parent, name, existing)
            existing = None
        if existing is None:
            os.mkdir(name, 0o700, dir_fd=parent)
        folder = os.open(name, _FOLDER, dir_fd=parent)
        try:
            _describe(folder, entry)
            if hides_lower:
                os.setxattr(folder, OPAQUE_ATTRIBUTE, b"y")
        finally:
            os.close(folder)

    def _link(self, parent: int, name: str, entry: tarfile.TarInfo) -> None:
        """A hard link to an earlier entry of this layer, or a copy of a lower layer's file."""
        target = entry_path(entry.linkname)
        folder, _, target_name = target.rpartition("/")
        try:
            source = paths.open_beneath(self._root, folder or ".", os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            self._copy_from_below(parent, name, target)
            return
        try:
            existing = _mode_of(source, target_name)
            if existing is None:
                self._copy_from_below(parent, name, target)
            elif stat.S_ISCHR(existing) or stat.S_ISDIR(existing):
                raise InvalidImage(f"a hard link leads to {target[:200]!r}, which is no file")
            else:
                os.link(
                    target_name, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False
                )
        finally:
            os.close(source)

    def _copy_from_below(self, parent: int, name: str, path: str) -> None:
        for root in self._below:
            try:
                source = paths.open_beneath(root, path, os.O_RDONLY | os.O_NONBLOCK)
            except FileNotFoundError:
                continue
            try:
                status = os.fstat(source)
                if not stat.S_ISREG(status.st_mode):
                    break
                target = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
                try:
                    os.sendfile(target, source, 0, status.st_size)
                    os.fchown(target, status.st_uid, status.st_gid)
                    os.fchmod(target, stat.S_IMODE(status.st_mode))
                    _set_times(target, status.st_mtime)
                finally:
                    os.close(target)
                return
            finally:
                os.close(source)
        raise InvalidImage(f"a hard link leads to {path[:200]!r}, which is not in the image")

    def _white_out(self, parent: int, name: str) -> None:
        if name == OPAQUE_MARKER:
            os.setxattr(f"/proc/self/fd/{parent}", OPAQUE_ATTRIBUTE, b"y")
            return
        if name.startswith(_RESERVED_PREFIX):
            return
        hidden = name.removeprefix(WHITEOUT_PREFIX)
        if hidden in ("", ".", ".."):
            raise InvalidImage(f"{name!r} is not a valid whiteout")
        existing = _mode_of(parent, hidden)
        if existing is None:
            os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
        elif stat.S_ISDIR(existing):
            with _opened(parent, hidden) as folder:
                os.setxattr(folder, OPAQUE_ATTRIBUTE, b"y")

    def _open_parent(self, path: str) -> int:
        if path == self._parent_path:
            return self._parent
        try:
            descriptor = paths.open_beneath(self._root, path or ".", os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            descriptor = self._make_parents(path)
        except OSError as error:
            raise InvalidImage(
                f"an entry is to be put into {path[:200]!r}, which is no folder of its layer"
            ) from error
        self.close()
        self._parent_path, self._parent = path, descriptor
        return descriptor

    def _make_parents(self, path: str) -> int:
        """Folders that the archive names no entry for look as they do in the layers below."""
        made = ""
        current = os.dup(self._root)
        for part in path.split("/"):
            made = f"{made}/{part}" if made else part
            try:
                os.mkdir(part, 0o755, dir_fd=current)
                fresh = True
            except FileExistsError:
                fresh = False
            try:
                folder = os.open(part, _FOLDER, dir_fd=current)
            except OSError as error:
                raise InvalidImage(f"{made[:200]!r} is no folder of its layer") from error
            finally:
                os.close(current)
            current = folder
            if fresh:
                self._describe_as_below(folder, made)
        return current

    def _describe_as_below(self, folder: int, path: str) -> None:
        for root in self._below:
            try:
                lower = paths.open_beneath(root, path, _FOLDER)
            except OSError:  # this layer has no such folder
                continue
            try:
                status = os.fstat(lower)
            finally:
                os.close(lower)
            os.fchown(folder, status.st_uid, status.st_gid)
            os.fchmod(folder, stat.S_IMODE(status.st_mode))
            self._folder_times[path] = status.st_mtime
            return


def entry_path(name: str) -> str:
    """A relative path without `.`; "" is the root. Raises InvalidImage for a way out."""
    if name.startswith("/"):
        raise InvalidImage(f"entry {name[:200]!r} has an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise InvalidImage(f"entry {name[:200]!r} leads out of its layer")
    return "/".join(parts)


@contextmanager
def _opened(parent: int, name: str) -> Iterator[int]:
    folder = os.open(name, _FOLDER, dir_fd=parent)
    try:
        yield folder
    finally:
        os.close(folder)


def _mode_of(parent: int, name: str) -> int | None:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _remove(parent: int, name: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise InvalidImage(f"entry {name[:200]!r} replaces a folder of its own layer")
    os.unlink(name, dir_fd=parent)


def _write_file(parent: int, name: str, entry: tarfile.TarInfo, content: Readable) -> None:
    descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
    try:
        segments = segments_of(entry)
        if segments is None:
            written = _write_segment(descriptor, content, entry.size)
        else:
            written = _write_segments(descriptor, segments, entry.size, content)
        if written != entry.size:
            raise InvalidImage(f"entry {name[:200]!r} is cut short")
        _describe(descriptor, entry)
        _set_times(descriptor, entry.mtime)
    finally:
        os.close(descriptor)


def _write_segments(
    descriptor: int, segments: Sequence[tuple[int, int]], size: int, content: Any
) -> int:
    """Write the data of a sparse file, and leave its holes."""
    # The library's buffer over it would read the holes ahead, as zeros.
    raw = content.raw
    for offset, length in segments:
        raw.seek(offset)
        os.lseek(descriptor, offset, os.SEEK_SET)
        if _write_segment(descriptor, raw, length) != length:
            return offset
    os.ftruncate(descriptor, size)
    return size


def _write_segment(descriptor: int, content: Readable, length: int) -> int:
    left = length
    while left and (piece := content.read(min(CHUNK, left))):
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]
        left -= len(piece)
    return length - left


def _describe(descriptor: int, entry: tarfile.TarInfo) -> None:
    os.fchown(descriptor, entry.uid, entry.gid)
    os.fchmod(descriptor, entry.mode & 0o7777)
    for key, value in entry.pax_headers.items():
        if key.startswith(_PAX_ATTRIBUTE):
            _set_attribute(descriptor, key.removeprefix(_PAX_ATTRIBUTE), value)


def _set_attribute(descriptor: int, name: str, value: str) -> None:
    """Set what an image may carry; labels of security modules are the host's business."""
    data = value.encode("utf-8", "surrogateescape")
    if name == "security.selinux":
        return
    valid = name.startswith(_HARMLESS_ATTRIBUTES) and len(data) <= _ATTRIBUTE_LIMIT
    if name == _CAPABILITY_ATTRIBUTE:
        valid = len(data) in _CAPABILITY_SIZES
    if not valid:
        raise InvalidImage(f"an entry has the extended attribute {name[:100]!r}: refused")
    os.setxattr(descriptor, name, data)


def _set_times(descriptor: int, time: float) -> None:
    nanoseconds = int(time * 1_000_000_000)
    os.utime(descriptor, ns=(nanoseconds, nanoseconds))


def _set_link_times(parent: int, name: str, time: float) -> None:
    nanoseconds = int(time * 1_000_000_000)
    os.utime(name, ns=(nanoseconds, nanoseconds), dir_fd=parent, follow_symlinks=False)
