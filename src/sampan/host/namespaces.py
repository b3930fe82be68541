"""Kernel namespaces: leaving, entering, pinning and opening things inside them.

All of it is synchronous and concerns the calling thread alone (namespaces(7): except for
PID and user namespaces, `unshare` and `setns` act on one thread). What a namespace is used
for is not known here.
"""

import contextlib
import ctypes
import errno
import os
import socket
from collections.abc import Iterator
from enum import IntFlag
from pathlib import Path

from sampan.host.mounts import MS_BIND, mount, unmount

_libc = ctypes.CDLL(None, use_errno=True)
_libc.setns.argtypes = (ctypes.c_int, ctypes.c_int)
_libc.unshare.argtypes = (ctypes.c_int,)

_THREAD_NETWORK_NAMESPACE = "/proc/thread-self/ns/net"


class NamespaceKind(IntFlag):
    """The CLONE_NEW* flags of clone(2) that nodes and pods are made with."""

    MOUNT = 0x00020000
    UTS = 0x04000000
    IPC = 0x08000000
    PID = 0x20000000
    NETWORK = 0x40000000


def _check(result: int, action: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{action}: {os.strerror(number)}")


def unshare(kinds: NamespaceKind) -> None:
    """Move the calling thread (for PID: its future children) into new namespaces.

    Raises OSError as unshare(2) does.
    """
    _check(_libc.unshare(int(kinds)), f"unshare {kinds!r}")


def setns(descriptor: int, kinds: NamespaceKind) -> None:
    """Move the calling thread into the namespace behind `descriptor` (setns(2); OSError)."""
    _check(_libc.setns(descriptor, int(kinds)), f"setns {kinds!r}")


@contextlib.contextmanager
def _returning_to_own_network() -> Iterator[None]:
    """Whatever the body does to the thread's network namespace is undone after it."""
    own = os.open(_THREAD_NETWORK_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        try:
            setns(own, NamespaceKind.NETWORK)
        finally:
            os.close(own)


@contextlib.contextmanager
def in_network_namespace(path: Path) -> Iterator[None]:
    """Run the body, which must not await, inside the network namespace pinned at `path`.

    Raises OSError if there is none.
    """
    target = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _returning_to_own_network():
            setns(target, NamespaceKind.NETWORK)
            yield
    finally:
        os.close(target)


def create_network_namespace(path: Path) -> None:
    """Make a network namespace and pin it at `path` by a bind mount.

    `path` must not exist yet and its folder must; nothing is left there after an error
    (OSError).
    """
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400))
    try:
        with _returning_to_own_network():
            unshare(NamespaceKind.NETWORK)
            mount(_THREAD_NETWORK_NAMESPACE, str(path), "", MS_BIND)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def remove_network_namespace(path: Path) -> None:
    """Take the pin at `path` away; the kernel ends the namespace once nothing is in it.

    No error if there is no pin.
    """
    try:
        while True:
            unmount(path, lazily=True)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
    path.unlink(missing_ok=True)


def is_network_namespace(path: Path) -> bool:
    """Whether a namespace is pinned at `path` (and not just the file left by a reboot)."""
    try:
        return os.stat(path).st_dev == os.stat(_THREAD_NETWORK_NAMESPACE).st_dev
    except FileNotFoundError:
        return False


def open_socket_in(path: Path, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that lives in the network namespace pinned at `path` (OSError)."""
    with in_network_namespace(path):
        return socket.socket(family, kind, protocol)


def set_hostname(name: str) -> None:
    """Name the calling process's UTS namespace (OSError without the right to)."""
    socket.sethostname(name)
