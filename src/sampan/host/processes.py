"""Processes: starting them, following them by descriptor, ending them.

A process is followed by its pidfd, so that its number is never mistaken for that of another
which came later; across restarts of ourselves it is known by its number and start time
together. Programs are spawned with posix_spawn(3), never through a shell. What they are for
is not known here.
"""

import asyncio
import fcntl
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sampan.host.posix_spawn import SpawnPlan, posix_spawn

_START_TIME_FIELD = 19
_READ_SIZE = 64 * 1024
_FIRST_INHERITED = 3
_LOST_EXIT_CODE = 255

Waitable = asyncio.Future[Any]


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process, told from any later one of the same number by its start time (clock ticks)."""

    process: int
    start_time: int


class CompletedCommand(msgspec.Struct, frozen=True):
    """How a command ended and the first bytes of what it said on stdout and stderr together."""

    exit_code: int
    output: bytes


def identity_of(process: int) -> ProcessIdentity | None:
    """The identity of a process that lives; None for one that is gone or a zombie."""
    try:
        text = Path(f"/proc/{process}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name in parentheses may itself hold spaces and parentheses (proc_pid_stat(5)).
    fields = text[text.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return ProcessIdentity(process, int(fields[_START_TIME_FIELD]))


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether exactly this process still runs."""
    return identity_of(identity.process) == identity


def open_process(identity: ProcessIdentity) -> int | None:
    """A pidfd of exactly this process, None when it is gone."""
    try:
        descriptor = os.pidfd_open(identity.process)
    except ProcessLookupError:
        return None
    if identity_of(identity.process) == identity:
        return descriptor
    os.close(descriptor)
    return None


def send_signal(identity: ProcessIdentity, number: int) -> bool:
    """Signal exactly this process; False when it is gone."""
    descriptor = open_process(identity)
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


class ExitWatch:
    """Calls back once, in the running event loop, when a process that may be anyone's ends."""

    def __init__(self, identity: ProcessIdentity, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._descriptor = open_process(identity)
        if self._descriptor is None:
            self._loop.call_soon(ended)
        else:
            self._loop.add_reader(self._descriptor, self._ready)

    def _ready(self) -> None:
        self.close()
        self._ended()

    def close(self) -> None:
        """Stop watching; a second call does nothing."""
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


async def until_ended(identity: ProcessIdentity) -> None:
    """Wait for the end of a process that may be anyone's."""
    ended = asyncio.Event()
    watch = ExitWatch(identity, ended.set)
    try:
        await ended.wait()
    finally:
        watch.close()


def commands_with(word: str, programs: Iterable[str]) -> list[ProcessIdentity]:
    """The living processes that were started as one of these programs with this argument."""
    wanted, names = word.encode(), {os.fsencode(program) for program in programs}
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            words = Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        matches = words[0] in names and wanted in words
        identity = identity_of(int(entry)) if matches else None
        if identity is not None:
            found.append(identity)
    return found


class ChildProcess:
    """A child of ours; it is reaped as soon as it ends, whether or not anyone waits."""

    def __init__(self, process: int) -> None:
        self.process = process
        self._descriptor = os.pidfd_open(process)
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._loop.add_reader(self._descriptor, self._reap)

    def _reap(self) -> None:
        self._loop.remove_reader(self._descriptor)
        try:
            exit_code = exit_code_of(os.waitid(os.P_PIDFD, self._descriptor, os.WEXITED))
        except ChildProcessError:
            exit_code = _LOST_EXIT_CODE
        os.close(self._descriptor)
        self._descriptor = -1
        if not self._ended.done():
            self._ended.set_result(exit_code)

    async def wait(self) -> int:
        """Its exit code: 128+n for a death by signal n, 255 if somebody else reaped it."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when it has ended."""
        if self._descriptor >= 0:
            try:
                signal.pidfd_send_signal(self._descriptor, number)
            except ProcessLookupError:
                return


def exit_code_of(result: "os.waitid_result | None") -> int:
    """A shell's exit code for what waitid(2) told."""
    if result is None:
        raise ChildProcessError("the child has not ended")
    if result.si_code == os.CLD_EXITED:
        return result.si_status
    return 128 + result.si_status


async def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    inherited: Mapping[int, int] | None = None,
    new_session: bool = False,
    folder: Path | None = None,
) -> ChildProcess:
    """Start a program, `command[0]` being its path.

    A stream that is None is /dev/null. `inherited` gives further descriptors by the number
    that the child shall know them by; `folder` is where it starts. Raises OSError when it
    can't be started.
    """
    streams = {0: stdin, 1: stdout, 2: stderr}
    wanted = {
        number: descriptor for number, descriptor in streams.items() if descriptor is not None
    }
    moved = _moved_away(wanted | dict(inherited or {}))
    plan = SpawnPlan(
        command=tuple(command),
        environment=dict(environment),
        descriptors=moved,
        new_session=new_session,
        folder=folder,
    )
    starting = asyncio.ensure_future(asyncio.to_thread(posix_spawn, plan))
    try:
        return ChildProcess(await asyncio.shield(starting))
    except asyncio.CancelledError:
        ChildProcess(await starting).signal(signal.SIGKILL)
        raise
    finally:
        for descriptor in moved.values():
            os.close(descriptor)


def _moved_away(inherited: Mapping[int, int]) -> dict[int, int]:
    """Copies of the descriptors above every number asked for, so that none overwrites another."""
    if not inherited:
        return {}
    lowest = max(*inherited, _FIRST_INHERITED) + 1
    return {
        number: fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
        for number, descriptor in inherited.items()
    }


async def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: int | None = None,
    output_limit: int = _READ_SIZE,
    timeout: float | None = None,
    on_output: Callable[[bytes], None] | None = None,
) -> CompletedCommand:
    """Run a program to its end and keep the first `output_limit` bytes of what it says.

    `on_output` gets everything as it comes. Raises OSError when it can't be started and
    TimeoutError after killing it.
    """
    reader, writer = os.pipe()
    try:
        os.set_blocking(reader, False)
        child = await spawn(
            command, environment=environment, stdin=stdin, stdout=writer, stderr=writer
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    kept = bytearray()

    def take(piece: bytes) -> None:
        kept.extend(piece[: output_limit - len(kept)])
        if on_output is not None:
            on_output(piece)

    drain = PipeReader(reader, take)
    try:
        async with asyncio.timeout(timeout):
            exit_code = await child.wait()
    except BaseException:
        child.signal(signal.SIGKILL)
        raise
    finally:
        drain.finish()
    return CompletedCommand(exit_code, bytes(kept))


async def until_ready(
    *, readable: Iterable[int] = (), writable: Iterable[int] = (), or_done: Waitable | None = None
) -> None:
    """Wait until one of the descriptors can be read or written, or `or_done` is done."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake(_: object = None) -> None:
        if not ready.done():
            ready.set_result(None)

    to_read, to_write = tuple(readable), tuple(writable)
    for descriptor in to_read:
        loop.add_reader(descriptor, wake)
    for descriptor in to_write:
        loop.add_writer(descriptor, wake)
    if or_done is not None:
        or_done.add_done_callback(wake)
    try:
        await ready
    finally:
        for descriptor in to_read:
            loop.remove_reader(descriptor)
        for descriptor in to_write:
            loop.remove_writer(descriptor)
        if or_done is not None:
            or_done.remove_done_callback(wake)


class PipeReader:
    """Feeds what comes through a pipe to a callback until its end; it owns the descriptor."""

    def __init__(
        self,
        descriptor: int,
        taken: Callable[[bytes], None],
        ended: Callable[[], None] | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._taken = taken
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            piece = os.read(self._descriptor, _READ_SIZE)
        except BlockingIOError:
            return
        if piece:
            self._taken(piece)
        else:
            self._close()
            if self._ended is not None:
                self._ended()

    def _close(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def finish(self) -> None:
        """Take what is there now and let go, although someone may still hold the other end."""
        while self._descriptor >= 0:
            try:
                piece = os.read(self._descriptor, _READ_SIZE)
            except BlockingIOError:
                break
            if not piece:
                break
            self._taken(piece)
        self._close()
