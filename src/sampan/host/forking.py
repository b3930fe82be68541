"""Children forked from this process, and programs set free from it.

A fork of a process that has everything imported costs milliseconds where a fresh interpreter
costs half a second. It is safe from a process with a single thread only, and that is checked.
Nothing here knows what the children do.
"""

import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_FIRST_FREE_DESCRIPTOR = 3
_HANDLED_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGCHLD,
    signal.SIGUSR1,
    signal.SIGUSR2,
)

_log = logging.getLogger(__name__)
_libc = ctypes.CDLL(None, use_errno=True)


class ThreadsAreRunning(RuntimeError):
    """A process with several threads can't be forked safely: their locks stay held for ever."""


def fork(
    child: Callable[[], None], *, keep: Sequence[int] = (), die_with_parent: bool = False
) -> int:
    """Run `child` in a new process, in a session of its own; returns its process id.

    The child keeps the standard streams and the descriptors in `keep` and closes all others; its
    signals act by default. It exits with 0 when `child` returns, else with 1 after logging why.
    Raises ThreadsAreRunning, OSError.
    """
    if threading.active_count() > 1:
        raise ThreadsAreRunning(", ".join(thread.name for thread in threading.enumerate()))
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        _become_child(parent if die_with_parent else 0, keep)
        child()
        status = 0
    except SystemExit as reason:
        status = reason.code if isinstance(reason.code, int) else 1
    except BaseException:  # noqa: BLE001 - nothing may unwind into the parent's frames
        _log.exception("the child process failed")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _become_child(parent: int, keep: Sequence[int]) -> None:
    signal.set_wakeup_fd(-1)
    for number in _HANDLED_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if parent:
        _process_control(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)
    os.setsid()
    first = _FIRST_FREE_DESCRIPTOR
    for descriptor in sorted(keep):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def prepare_to_fork() -> None:
    """Keep what is imported out of the garbage collector's way, so that its pages stay shared."""
    gc.collect()
    gc.freeze()


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends: PR_SET_CHILD_SUBREAPER, prctl(2)."""
    _process_control(_PR_SET_CHILD_SUBREAPER, 1)


def set_process_name(name: str) -> None:
    """What `ps` shows as the command's name; cut to 15 bytes by the kernel."""
    _libc.prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0)


def _process_control(option: int, argument: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}): {os.strerror(ctypes.get_errno())}")


def reap_children() -> list[tuple[int, int]]:
    """The (process id, exit code) of each child that has ended; negative for a death by signal."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if process == 0:
            return ended
        ended.append((process, os.waitstatus_to_exitcode(status)))


def spawn_detached(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: Path,
    inherited: Mapping[int, int],
) -> int:
    """Start a program in a session of its own, its output appended to a file of mode 600.

    `inherited` gives further descriptors by the number that the program knows them by.
    """
    return os.posix_spawn(
        arguments[0],
        list(arguments),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_DUP2, own, number) for number, own in inherited.items()),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=_HANDLED_SIGNALS,
    )
