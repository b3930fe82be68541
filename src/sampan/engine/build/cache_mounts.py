"""The folders of `RUN --mount=type=cache`: one an identifier, kept from build to build.

Steps that run at the same time share a folder, take turns, or get one each, as they ask.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from sampan.engine.build.run_mounts import RunMount
from sampan.host.tree_removal import remove_tree

_IDENTIFIER = "identifier"
_CONTENT = "content"


class CacheFolder(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    identifier: str
    size: int
    made: float
    used: float
    is_in_use: bool


class CacheMounts:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}
        self._making = asyncio.Lock()

    @asynccontextmanager
    async def taken(self, mount: RunMount, fill: Callable[[Path], None]) -> AsyncIterator[Path]:
        """The folder for a mount, for a `with` block; `fill` puts into a new one what it begins
        with, in a thread. Raises OSError."""
        if mount.sharing == "locked":
            lock = self._locks.setdefault(mount.identifier, asyncio.Lock())
            async with lock, self._used(mount, 0, fill) as path:
                yield path
            return
        number = 0
        if mount.sharing == "private":
            while self._users.get(_name(mount.identifier, number)):
                number += 1
        async with self._used(mount, number, fill) as path:
            yield path

    @asynccontextmanager
    async def _used(
        self, mount: RunMount, number: int, fill: Callable[[Path], None]
    ) -> AsyncIterator[Path]:
        name = _name(mount.identifier, number)
        self._users[name] = self._users.get(name, 0) + 1
        try:
            folder = self._folder / name
            async with self._making:
                if not (folder / _CONTENT).is_dir():
                    await asyncio.to_thread(_make, folder, mount, fill)
            os.utime(folder)
            yield folder / _CONTENT
        finally:
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name]

    def folders(self) -> Iterator[CacheFolder]:
        """All of them, measured. Blocks."""
        for folder in sorted(self._folder.iterdir()):
            if (folder / _CONTENT).is_dir():
                status = folder.stat()
                yield CacheFolder(
                    name=folder.name,
                    identifier=(folder / _IDENTIFIER).read_text(errors="replace"),
                    size=_size(folder / _CONTENT),
                    made=(folder / _IDENTIFIER).stat().st_mtime,
                    used=status.st_mtime,
                    is_in_use=folder.name in self._users,
                )

    def discard(self, name: str) -> None:
        """Remove one that no step uses. Blocks. Raises OSError."""
        if name not in self._users:
            remove_tree(self._folder / name)


def _name(identifier: str, number: int) -> str:
    return hashlib.sha256(f"{identifier}\0{number}".encode()).hexdigest()[:32]


def _make(folder: Path, mount: RunMount, fill: Callable[[Path], None]) -> None:
    fresh = folder / f"{_CONTENT}.new"
    if fresh.exists():
        remove_tree(fresh)  # an interrupted process left it
    fresh.mkdir(parents=True, mode=0o700)
    (folder / _IDENTIFIER).write_text(mount.identifier)
    fill(fresh)
    os.chown(fresh, mount.uid, mount.gid)
    fresh.chmod(mount.mode)
    fresh.rename(folder / _CONTENT)


def _size(folder: Path) -> int:
    size = 0
    for _, _, names, descriptor in os.fwalk(folder, follow_symlinks=False):
        for name in names:
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            size += status.st_blocks * 512
    return size
