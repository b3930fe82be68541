"""Unpacking a tar archive in a folder of a container, through descriptors only.

Symlinks on the way to an entry are followed as the container would follow them, by openat2(2)
within its root; an entry itself never goes through one. Entries that name a way out of the
folder are refused.
"""

import contextlib
import os
import posixpath
import stat
import tarfile

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import InvalidImage
from sampan.engine.images.extraction import entry_path
from sampan.engine.images.streams import CHUNK, HashingReader, Readable, archive_entries
from sampan.host import paths
from sampan.host.identifier_maps import UNMAPPED, OwnerMaps
from sampan.host.tree_removal import remove_tree

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PAX_ATTRIBUTE = "SCHILY.xattr."


def unpack(
    stream: HashingReader,
    root: int,
    folder: int,
    *,
    keep_kinds: bool,
    owner: tuple[int, int] | None,
    owners: OwnerMaps = UNMAPPED,
) -> None:
    """Unpack below `folder`, which lies in `root`. `owner` takes the place of the archive's; all
    are the container's own, whom `owners` tell outside.

    Raises InvalidConfiguration for what can't be unpacked, OSError.
    """
    base = os.readlink(f"/proc/self/fd/{root}")
    place = os.readlink(f"/proc/self/fd/{folder}").removeprefix(base) or "/"
    unpacking = _Unpacking(root, place, keep_kinds=keep_kinds, owner=owner, owners=owners)
    try:
        for entry, content in archive_entries(stream):
            unpacking.put(entry, content)
        unpacking.finish()
    except InvalidImage as error:
        raise InvalidConfiguration(f"Error processing tar file: {error}") from error


def folder_made(root: int, path: str, owner: tuple[int, int] | None = None) -> int:
    """A descriptor of a folder of the root; what is missing on the way is made. Raises OSError."""
    try:
        return paths.open_in_root(root, path, _FOLDER)
    except FileNotFoundError:
        above, name = posixpath.split(path.rstrip("/"))
        if not name:
            raise
    parent = folder_made(root, above, owner)
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
        if owner is not None:
            os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    finally:
        os.close(parent)


def file_made(root: int, path: str, owner: tuple[int, int] | None = None) -> int:
    """A descriptor (O_PATH) of a file of the root, made empty if it is missing. Raises OSError."""
    try:
        return paths.open_in_root(root, path, os.O_PATH)
    except FileNotFoundError:
        above, name = posixpath.split(path)
    parent = folder_made(root, above or "/", owner)
    try:
        os.close(os.open(name, _NEW_FILE, 0o644, dir_fd=parent))
        if owner is not None:
            os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
        return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    finally:
        os.close(parent)


class _Unpacking:
    def __init__(
        self,
        root: int,
        place: str,
        *,
        keep_kinds: bool,
        owner: tuple[int, int] | None,
        owners: OwnerMaps,
    ) -> None:
        self._root = root
        self._place = place
        self._keep_kinds = keep_kinds
        self._owner = owner
        self._owners = owners
        self._folder_times: list[tuple[str, float]] = []

    def put(self, entry: tarfile.TarInfo, content: Readable) -> None:
        path = entry_path(entry.name.lstrip("/"))
        if not path:
            return
        folder, name = posixpath.split(path)
        parent = self._parent(folder)
        try:
            self._make(parent, name, path, entry, content)
        finally:
            os.close(parent)

    def finish(self) -> None:
        """Putting entries into folders changed their times."""
        for path, time in reversed(self._folder_times):
            try:
                folder = self._opened(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            try:
                _set_times(folder, time)
            finally:
                os.close(folder)

    def _opened(self, path: str) -> int:
        return paths.open_in_root(self._root, posixpath.join(self._place, path), _FOLDER)

    def _parent(self, path: str) -> int:
        mapped = self._owners != UNMAPPED
        maker = self._owners.outside(*(self._owner or (0, 0))) if mapped else self._owner
        return folder_made(self._root, posixpath.join(self._place, path), maker)

    def _make(
        self, parent: int, name: str, path: str, entry: tarfile.TarInfo, content: Readable
    ) -> None:
        self._make_way(parent, name, entry)
        if entry.isdir():
            self._make_folder(parent, name, entry)
            self._folder_times.append((path, entry.mtime))
        elif entry.isreg():
            self._write_file(parent, name, entry, content)
        elif entry.islnk():
            self._link(parent, name, entry)
        elif entry.issym():
            os.symlink(entry.linkname, name, dir_fd=parent)
            os.chown(name, *self._owner_of(entry), dir_fd=parent, follow_symlinks=False)
        elif entry.isfifo():
            os.mkfifo(name, dir_fd=parent)
            os.chown(name, *self._owner_of(entry), dir_fd=parent, follow_symlinks=False)
        else:
            raise InvalidImage(f"entry {path[:200]!r} is a device or of an unknown type")

    def _make_way(self, parent: int, name: str, entry: tarfile.TarInfo) -> None:
        """Take away what an entry replaces; folders are merged."""
        try:
            mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode) and entry.isdir():
            return
        if self._keep_kinds and stat.S_ISDIR(mode):
            raise InvalidConfiguration(
                f'cannot overwrite directory "{name[:200]}" with non-directory "{name[:200]}"'
            )
        if self._keep_kinds and entry.isdir():
            raise InvalidConfiguration(
                f'cannot overwrite non-directory "{name[:200]}" with directory "{name[:200]}"'
            )
        if stat.S_ISDIR(mode):
            remove_tree(f"/proc/self/fd/{parent}/{name}")
        else:
            os.unlink(name, dir_fd=parent)

    def _make_folder(self, parent: int, name: str, entry: tarfile.TarInfo) -> None:
        # Merged with the one that may be there.
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
        folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        try:
            self._describe(folder, entry)
        finally:
            os.close(folder)

    def _write_file(
        self, parent: int, name: str, entry: tarfile.TarInfo, content: Readable
    ) -> None:
        descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
        try:
            while piece := content.read(CHUNK):
                view = memoryview(piece)
                while view:
                    view = view[os.write(descriptor, view) :]
            self._describe(descriptor, entry)
            _set_times(descriptor, entry.mtime)
        finally:
            os.close(descriptor)

    def _link(self, parent: int, name: str, entry: tarfile.TarInfo) -> None:
        """A hard link to a file that lies below the same folder."""
        folder, target = posixpath.split(entry_path(entry.linkname.lstrip("/")))
        source = self._opened(folder)
        try:
            os.link(target, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def _owner_of(self, entry: tarfile.TarInfo) -> tuple[int, int]:
        return self._owners.outside(*(self._owner or (entry.uid, entry.gid)))

    def _describe(self, descriptor: int, entry: tarfile.TarInfo) -> None:
        os.fchown(descriptor, *self._owner_of(entry))
        os.fchmod(descriptor, entry.mode & 0o7777)
        for key, value in entry.pax_headers.items():
            if key.startswith(_PAX_ATTRIBUTE):
                name = key.removeprefix(_PAX_ATTRIBUTE)
                if name == "security.capability" or name.startswith("user."):
                    os.setxattr(descriptor, name, value.encode("utf-8", "surrogateescape"))


def _set_times(descriptor: int, time: float) -> None:
    nanoseconds = int(time * 1_000_000_000)
    os.utime(descriptor, ns=(nanoseconds, nanoseconds))
