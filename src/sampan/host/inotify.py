"""Being told of changes in folders without asking again and again, by inotify(7).

All watches of an event loop share one descriptor: the kernel gives a user few of those, and many
watches. What the files mean is not known here.
"""

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import msgspec

IN_MODIFY = 0x2
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100

_IN_IGNORED = 0x8000
_IN_Q_OVERFLOW = 0x4000
_IN_MASK_ADD = 0x20000000
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC
_EVENT = struct.Struct("iIII")
_BUFFER = 64 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


class _Event(msgspec.Struct, frozen=True):
    watch: int
    mask: int
    name: str


class FolderWatch:
    """Calls back in the running event loop with the names of files that changed in a folder.

    Several changes that came together are told in one call. An overflow of the kernel's queue
    is told as a change of the empty name: look at everything then.
    """

    def __init__(self, folder: Path, mask: int, changed: Callable[[set[str]], None]) -> None:
        self.mask = mask
        self.changed = changed
        self._shared = _Shared.of_running_loop()
        self._number = self._shared.add(folder, self)

    def close(self) -> None:
        """Stop watching; a second call does nothing."""
        if self._number >= 0:
            self._shared.remove(self._number, self)
            self._number = -1


class _Shared:
    """The descriptor of one loop, from its first watch to its last."""

    _of_loops: ClassVar[dict[asyncio.AbstractEventLoop, "_Shared"]] = {}

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watches: dict[int, list[FolderWatch]] = {}
        self._descriptor = _checked(_libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC), Path())
        try:
            loop.add_reader(self._descriptor, self._read)
        except BaseException:
            os.close(self._descriptor)
            raise

    @classmethod
    def of_running_loop(cls) -> "_Shared":
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        if loop not in cls._of_loops:
            cls._of_loops[loop] = cls(loop)
        return cls._of_loops[loop]

    def add(self, folder: Path, watch: FolderWatch) -> int:
        """The kernel's number of the folder's watch. Raises OSError."""
        mask = watch.mask | _IN_MASK_ADD
        try:
            number = _libc.inotify_add_watch(self._descriptor, os.fsencode(folder), mask)
            _checked(number, folder)
        except OSError:
            self._close_if_unused()
            raise
        self._watches.setdefault(number, []).append(watch)
        return int(number)

    def remove(self, number: int, watch: FolderWatch) -> None:
        watches = self._watches.get(number, [])
        if watch in watches:
            watches.remove(watch)
        if not watches and self._watches.pop(number, None) is not None:
            # It fails where the folder has gone, and its watch with it.
            _libc.inotify_rm_watch(self._descriptor, number)
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if not self._watches and self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            del self._of_loops[self._loop]

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _BUFFER)
        except BlockingIOError:
            return
        names: dict[FolderWatch, set[str]] = {}
        for event in _events(data):
            for watch in self._concerned(event):
                names.setdefault(watch, set()).add(event.name)
        for watch, changed in names.items():
            watch.changed(changed)

    def _concerned(self, event: _Event) -> list[FolderWatch]:
        if event.mask & _IN_Q_OVERFLOW:
            return [watch for watches in self._watches.values() for watch in watches]
        if event.mask & _IN_IGNORED:
            return []
        return [one for one in self._watches.get(event.watch, ()) if one.mask & event.mask]


def _events(data: bytes) -> Iterator[_Event]:
    """What is in a buffer of inotify events."""
    offset = 0
    while offset < len(data):
        watch, mask, _, length = _EVENT.unpack_from(data, offset)
        offset += _EVENT.size
        name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
        yield _Event(watch, mask, name)
        offset += length


def _checked(result: int, folder: Path) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(folder))
    return result
