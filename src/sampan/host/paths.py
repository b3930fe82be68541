"""Opening files below a folder without ever leaving it, whatever symlinks lie there.

Every path that comes out of an archive, an image or a volume is opened through here:
openat2(2) resolves it in the kernel as if the folder were the root of the file system, so
neither `..`, an absolute link nor a link that is swapped meanwhile leads outside. This module
knows nothing of images or containers.
"""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RESOLVE_IN_ROOT = 0x10
_libc = ctypes.CDLL(None, use_errno=True)
_ATTEMPTS = 16


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_in_root(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Open `path` as if the folder behind the descriptor `root` were `/` (openat2(2)).

    Raises OSError as open(2) does.
    """
    return _open(root, path, flags, mode, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)


def open_beneath(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Open `path` below the folder behind `root`, following no symlink at all.

    Raises OSError: ELOOP for a symlink on the way, EXDEV for a way out.
    """
    return _open(root, path, flags, mode, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)


def sync_filesystem(root: int) -> None:
    """Write everything of the descriptor's file system to the disk (syncfs(2))."""
    if _libc.syncfs(root) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _open(root: int, path: str, flags: int, mode: int, resolve: int) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    encoded = os.fsencode(path)
    for _ in range(_ATTEMPTS):
        descriptor: int = _libc.syscall(
            _OPENAT2, root, encoded, ctypes.byref(how), ctypes.sizeof(how)
        )
        if descriptor >= 0:
            return descriptor
        number = ctypes.get_errno()
        # EAGAIN: something above was renamed while the kernel looked `..` up.
        if number not in (errno.EAGAIN, errno.EINTR):
            raise OSError(number, os.strerror(number), path)
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


@contextmanager
def opened_folder(path: str | os.PathLike[str]) -> Iterator[int]:
    """A descriptor of a folder for the time of a `with` block."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_in_root(root: int, path: str, flags: int, mode: int = 0) -> Iterator[int]:
    """`open_in_root` for the time of a `with` block."""
    descriptor = open_in_root(root, path, flags, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_in_root(root: int, path: str, limit: int) -> bytes:
    """The first `limit` bytes of a regular file below `root`. Raises OSError."""
    with opened_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as descriptor:
        pieces = []
        while limit > 0 and (piece := os.read(descriptor, min(limit, 1 << 20))):
            pieces.append(piece)
            limit -= len(piece)
        return b"".join(pieces)
