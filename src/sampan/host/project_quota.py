"""Project quotas: how much a folder and all below it may hold, on XFS and ext4.

A project is a number that files inherit from their folder; the file system counts what each
project has and refuses what is beyond its limit (EDQUOT, or ENOSPC). Limits and counts lie on the
disk, so they hold over restarts of anything. Sources: quotactl(2), ioctl_xfs_fsgetxattr(2), the
kernel's uapi/linux/dqblk_xfs.h. Who uses which project is not known here.
"""

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

_libc = ctypes.CDLL(None, use_errno=True)
_QUOTACTL_FD = 443  # the same on every architecture, since Linux 5.14
_PROJECTS = 2
_GET, _SET_LIMIT, _STATE = 0x5803, 0x5804, 0x5805
_ENFORCED = 1 << 5
_STATE_FLAGS, _STATE_SIZE = struct.Struct("=2xH"), 128
# Version, flags, fields that are meant, project; limits and counts of blocks and inodes.
_QUOTA = struct.Struct("=bbHI6Q56x")
_VERSION, _OF_PROJECT, _BLOCK_LIMITS = 1, 2, 0b1100
_BLOCK = 512
_GET_ATTRIBUTES, _SET_ATTRIBUTES = 0x801C581F, 0x401C5820
# Flags, two hints of size, project, another hint.
_ATTRIBUTES = struct.Struct("=5I8x")
_INHERITED = 0x200


class ProjectUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes and inodes that a project has, and its limit in bytes, 0 for none."""

    size: int = 0
    inodes: int = 0
    limit: int = 0


def has_project_quotas(folder: Path) -> bool:
    """Whether the file system of a folder holds projects to their limits."""
    state = ctypes.create_string_buffer(bytes([_VERSION]), _STATE_SIZE)
    try:
        _control(folder, _STATE, 0, state)
    except OSError:
        # Each file system and each kernel says in its own way that it has none.
        return False
    return bool(_STATE_FLAGS.unpack_from(state.raw)[0] & _ENFORCED)


def put_into_project(folder: Path, project: int) -> None:
    """Count a folder, and what is made in it from now on, for a project. Raises OSError."""
    with _opened(folder) as descriptor:
        attributes = bytearray(_ATTRIBUTES.size)
        fcntl.ioctl(descriptor, _GET_ATTRIBUTES, attributes)
        flags, extent, extents, _, copied = _ATTRIBUTES.unpack(attributes)
        wanted = _ATTRIBUTES.pack(flags | _INHERITED, extent, extents, project, copied)
        fcntl.ioctl(descriptor, _SET_ATTRIBUTES, wanted)


def project_of(folder: Path) -> int:
    """The project that a folder is counted for, 0 for none. Raises OSError."""
    with _opened(folder) as descriptor:
        attributes = bytearray(_ATTRIBUTES.size)
        fcntl.ioctl(descriptor, _GET_ATTRIBUTES, attributes)
    return int(_ATTRIBUTES.unpack(attributes)[3])


def limit_project(folder: Path, project: int, size: int) -> None:
    """Let a project have so many bytes on the file system of a folder; 0 for as many as there
    are. Raises OSError."""
    blocks = -(-size // _BLOCK)
    wanted = (_VERSION, _OF_PROJECT, _BLOCK_LIMITS, project, blocks, blocks, 0, 0, 0, 0)
    quota = ctypes.create_string_buffer(_QUOTA.pack(*wanted), _QUOTA.size)
    _control(folder, _SET_LIMIT, project, quota)


def project_usage(folder: Path, project: int) -> ProjectUsage:
    """What a project has on the file system of a folder. Raises OSError."""
    quota = ctypes.create_string_buffer(_QUOTA.size)
    try:
        _control(folder, _GET, project, quota)
    except OSError as error:
        # XFS has no record of a project that never was.
        if error.errno == errno.ENOENT:
            return ProjectUsage()
        raise
    _, _, _, _, limit, _, _, _, blocks, inodes = _QUOTA.unpack(quota.raw)
    return ProjectUsage(size=blocks * _BLOCK, inodes=inodes, limit=limit * _BLOCK)


def _control(folder: Path, command: int, project: int, told: "ctypes.Array[ctypes.c_char]") -> None:
    with _opened(folder) as descriptor:
        result = _libc.syscall(
            ctypes.c_long(_QUOTACTL_FD),
            ctypes.c_uint(descriptor),
            ctypes.c_uint(command << 8 | _PROJECTS),
            ctypes.c_uint(project),
            told,
        )
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(folder))


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
