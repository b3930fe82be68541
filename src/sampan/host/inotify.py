"""Being told of changes in folders without asking again and again, by inotify(7).

It knows nothing of what the files mean.
"""

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from pathlib import Path

IN_MODIFY = 0x2
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100

_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC
_EVENT = struct.Struct("iIII")
_BUFFER = 64 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """Calls back in the running event loop with the names of files that changed in a folder.

    Several changes that came together are told in one call. An overflow of the kernel's queue
    is told as a change of the empty name: look at everything then.
    """

    def __init__(self, folder: Path, mask: int, changed: Callable[[set[str]], None]) -> None:
        self._changed = changed
        self._descriptor = _checked(_libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC), folder)
        try:
            _checked(_libc.inotify_add_watch(self._descriptor, os.fsencode(folder), mask), folder)
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._descriptor, self._read)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _BUFFER)
        except BlockingIOError:
            return
        self._changed(names_of_events(data))

    def close(self) -> None:
        """Stop watching; a second call does nothing."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


def names_of_events(data: bytes) -> set[str]:
    """The file names in a buffer of inotify events."""
    names, offset = set(), 0
    while offset < len(data):
        _, _, _, length = _EVENT.unpack_from(data, offset)
        offset += _EVENT.size
        names.add(os.fsdecode(data[offset : offset + length].rstrip(b"\0")))
        offset += length
    return names


def _checked(result: int, folder: Path) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(folder))
    return result
