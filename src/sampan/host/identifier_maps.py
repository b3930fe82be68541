"""Users and groups that are others outside a user namespace: the namespace, and mounts through it.

An idmapped mount shows the files of a file system as if they belonged to the mapped users, so
that no file need be changed. Sources: user_namespaces(7), mount_setattr(2), open_tree(2).
"""

import asyncio
import contextlib
import ctypes
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from sampan.host import processes
from sampan.host.identifier_map import IdentifierMap

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_FROM_EMPTY_PATH = 4
_MOUNT_ATTR_IDMAP = 0x00100000
# util-linux and coreutils; every distribution has both there.
_PROGRAM = ("/usr/bin/unshare", "--user", "/usr/bin/cat")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
_TIMEOUT = 10.0
# What the kernel shows for an owner without a map (proc_sys_kernel(5), overflowuid).
_NOBODY = 65534
_libc = ctypes.CDLL(None, use_errno=True)


class MappedUsers(msgspec.Struct, frozen=True):
    """Maps, and a descriptor of a user namespace that has them."""

    namespace: int
    users: tuple[IdentifierMap, ...]
    groups: tuple[IdentifierMap, ...]


class OwnerMaps(msgspec.Struct, frozen=True):
    """Whom files belong to inside a user namespace and outside it; the same without maps."""

    users: tuple[IdentifierMap, ...] = ()
    groups: tuple[IdentifierMap, ...] = ()

    def inside(self, user: int, group: int) -> tuple[int, int]:
        """A file's owner as the namespace sees it; nobody for one that it doesn't know."""
        return inside(self.users, user), inside(self.groups, group)

    def outside(self, user: int, group: int) -> tuple[int, int]:
        """The owner outside for one inside; one whom no map has stays."""
        return outside(self.users, user), outside(self.groups, group)


UNMAPPED = OwnerMaps()


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


@asynccontextmanager
async def user_namespace(
    users: tuple[IdentifierMap, ...], groups: tuple[IdentifierMap, ...]
) -> AsyncIterator[MappedUsers]:
    """A user namespace with these maps for the time of the block. Raises OSError, TimeoutError.

    A small program holds it open until it is ours: making one takes a process.
    """
    in_reader, in_writer = os.pipe()
    out_reader, out_writer = os.pipe()
    try:
        child = await processes.spawn(
            _PROGRAM, environment=_ENVIRONMENT, stdin=in_reader, stdout=out_writer
        )
    except BaseException:
        os.close(in_writer)
        os.close(out_reader)
        raise
    finally:
        os.close(in_reader)
        os.close(out_writer)
    try:
        # What comes back tells that the program is in its namespace.
        os.write(in_writer, b"x")
        async with asyncio.timeout(_TIMEOUT):
            await processes.until_ready(readable=(out_reader,))
        folder = Path("/proc", str(child.process))
        (folder / "uid_map").write_text(_lines(users))
        (folder / "gid_map").write_text(_lines(groups))
        descriptor = os.open(folder / "ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(in_writer)
        os.close(out_reader)
        await child.wait()
    try:
        yield MappedUsers(descriptor, users, groups)
    finally:
        os.close(descriptor)


def mount_mapped(source: Path, target: Path, namespace: int) -> None:
    """Show a folder at another through the maps of a user namespace.

    Raises OSError: EINVAL for a file system that can't be mapped.
    """
    tree = _check(
        _libc.syscall(
            _OPEN_TREE, _AT_FDCWD, os.fsencode(source), _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC
        ),
        source,
    )
    try:
        attributes = _MountAttributes(_MOUNT_ATTR_IDMAP, 0, 0, namespace)
        size = ctypes.sizeof(attributes)
        _check(
            _libc.syscall(
                _MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, ctypes.byref(attributes), size
            ),
            source,
        )
        _check(
            _libc.syscall(
                _MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_FROM_EMPTY_PATH
            ),
            target,
        )
    finally:
        os.close(tree)


def outside(maps: Sequence[IdentifierMap], inside: int) -> int:
    """Who an identifier of the namespace is outside it; 0 maps to itself without maps."""
    for each in maps:
        with contextlib.suppress(ValueError):
            return each.outside + range(each.inside, each.inside + each.count).index(inside)
    return inside


def inside(maps: Sequence[IdentifierMap], outside: int) -> int:
    """Who an identifier of the host is in the namespace; itself without maps."""
    for each in maps:
        if 0 <= outside - each.outside < each.count:
            return each.inside + outside - each.outside
    return _NOBODY if maps else outside


def _lines(maps: Sequence[IdentifierMap]) -> str:
    return "".join(f"{each.inside} {each.outside} {each.count}\n" for each in maps)


def _check(result: int, path: Path) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return result
