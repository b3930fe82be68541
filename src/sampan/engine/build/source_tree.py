"""Where COPY takes files from: the build context, or another stage's or image's root.

Nothing outside the tree can be reached: `..` is refused, links are resolved within the tree,
and what lies below is opened without following links at all. What becomes of the files is not
known here.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.patterns import (
    IgnoreRule,
    component_matches,
    has_wildcard,
    is_ignored,
    may_keep_below,
)
from sampan.host import paths

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CAPABILITY = "security.capability"
_CHUNK = 1 << 20
_DEPTH_LIMIT = 256


class SourceEntry:
    """One file, folder or link; `path` is relative to the source that was asked for ("" is the
    source itself). It is to be used before the next one is taken."""

    def __init__(self, path: str, status: os.stat_result, parent: int, name: str) -> None:
        self.path = path
        self.status = status
        self._parent = parent
        self._name = name

    @property
    def link_target(self) -> str:
        return os.readlink(self._name, dir_fd=self._parent)

    @contextmanager
    def opened(self) -> Iterator[int]:
        descriptor = os.open(self._name, _FILE, dir_fd=self._parent)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


class SourceTree:
    """`root` is a descriptor of the tree's top folder."""

    def __init__(self, root: int, ignored: tuple[IgnoreRule, ...] = ()) -> None:
        self._root = root
        self._ignored = ignored

    def matches(self, pattern: str) -> list[str]:
        """The paths that a source of COPY names; none when nothing is there."""
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        found = [""]
        for part in parts:
            if part == "**":
                found = [path for base in found for path in self._folders_below(base)]
            elif has_wildcard(part):
                found = [path for base in found for path in self._listed(base, part)]
            else:
                found = [f"{base}/{part}" if base else part for base in found]
        return [path for path in dict.fromkeys(found) if self._is_there(path)]

    def is_file(self, path: str) -> bool:
        """Whether a source is a regular file, or a link to one."""
        with paths.opened_in_root(self._root, path or ".", os.O_PATH) as found:
            return stat.S_ISREG(os.fstat(found).st_mode)

    def is_folder(self, path: str) -> bool:
        """Whether a source is a folder, or a link to one."""
        with paths.opened_in_root(self._root, path or ".", os.O_PATH) as found:
            return stat.S_ISDIR(os.fstat(found).st_mode)

    @contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """A file, reached through links within the tree if need be. Raises OSError."""
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
        with open(paths.open_in_root(self._root, path, flags), "rb") as file:
            yield file

    def entries(self, path: str) -> Iterator[SourceEntry]:
        """A source and all below it, folders before what is in them, in the order of names.

        The source itself is followed if it is a link, within the tree.
        """
        try:
            top = paths.open_in_root(self._root, path or ".", os.O_PATH)
        except OSError as error:
            raise BuildFailed(f"{path[:100]!r} can't be read: {error.strerror}") from error
        try:
            status = os.fstat(top)
            if stat.S_ISDIR(status.st_mode):
                folder = paths.open_in_root(self._root, path or ".", os.O_RDONLY | os.O_DIRECTORY)
                try:
                    yield SourceEntry("", status, folder, ".")
                    yield from self._below(folder, path, "", 0)
                finally:
                    os.close(folder)
            else:
                # Opening /proc/self/fd/N leads to the very file that was found.
                yield _Followed("", status, top)
        finally:
            os.close(top)

    def _below(self, folder: int, base: str, prefix: str, depth: int) -> Iterator[SourceEntry]:
        if depth > _DEPTH_LIMIT:
            raise BuildFailed(f"folders are nested more than {_DEPTH_LIMIT} deep")
        for name in sorted(os.listdir(folder)):
            whole = f"{base}/{name}" if base else name
            path = f"{prefix}/{name}" if prefix else name
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            is_folder = stat.S_ISDIR(status.st_mode)
            left_out = is_ignored(whole, self._ignored)
            if left_out and not (is_folder and may_keep_below(self._ignored)):
                continue
            if not left_out:
                yield SourceEntry(path, status, folder, name)
            if is_folder:
                child = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    yield from self._below(child, whole, path, depth + 1)
                finally:
                    os.close(child)

    def _listed(self, base: str, pattern: str) -> list[str]:
        try:
            with paths.opened_in_root(
                self._root, base or ".", os.O_RDONLY | os.O_DIRECTORY
            ) as folder:
                names = sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [
            f"{base}/{name}" if base else name for name in names if component_matches(pattern, name)
        ]

    def _folders_below(self, base: str) -> Iterator[str]:
        """A folder and all those below it, links not followed."""
        yield base
        if not self._is_there(base) or not self.is_folder(base):
            return
        for entry in self.entries(base):
            if entry.path and stat.S_ISDIR(entry.status.st_mode):
                yield f"{base}/{entry.path}" if base else entry.path

    def _is_there(self, path: str) -> bool:
        try:
            found = paths.open_in_root(self._root, path or ".", os.O_PATH)
        except OSError:
            return False
        try:
            if not path or not is_ignored(path, self._ignored):
                return True
            return stat.S_ISDIR(os.fstat(found).st_mode) and may_keep_below(self._ignored)
        finally:
            os.close(found)


class _Followed(SourceEntry):
    """A single file that may have been reached through a link."""

    def __init__(self, path: str, status: os.stat_result, descriptor: int) -> None:
        super().__init__(path, status, descriptor, "")
        self._descriptor = descriptor

    @contextmanager
    def opened(self) -> Iterator[int]:
        descriptor = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDONLY | os.O_NONBLOCK)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def digest_of_source(tree: SourceTree, path: str) -> str:
    """A digest over names, modes, links and contents; times don't count."""
    whole = hashlib.sha256()
    for entry in tree.entries(path):
        mode = entry.status.st_mode
        whole.update(f"{entry.path}\0{mode:o}\0".encode("utf-8", "surrogateescape"))
        if stat.S_ISREG(mode):
            with entry.opened() as descriptor:
                whole.update(_content_digest(descriptor))
                if CAPABILITY in os.listxattr(descriptor):
                    whole.update(os.getxattr(descriptor, CAPABILITY))
        elif stat.S_ISLNK(mode):
            whole.update(os.fsencode(entry.link_target))
        whole.update(b"\0")
    return whole.hexdigest()


def _content_digest(descriptor: int) -> bytes:
    content = hashlib.sha256()
    while piece := os.read(descriptor, _CHUNK):
        content.update(piece)
    return content.digest()
