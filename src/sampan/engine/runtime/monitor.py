"""conmon: the small process that keeps a container when the engine is away.

It creates the container through the OCI runtime, writes its output to the log, and leaves the
exit code in a file. We speak to it through the pipe it reports on when it starts, its control
fifo, and its attach socket. Source: conmon(8) and its sources' messages.
"""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from sampan.engine.contract import EngineError
from sampan.engine.runtime.oci_runtime import ENVIRONMENT, OciRuntime, failure
from sampan.host import processes

_SYNC_DESCRIPTOR = 3
_MESSAGE_LIMIT = 64 * 1024
_CREATE_TIMEOUT = 60.0
_RESIZE, _REOPEN_LOG = 1, 2


class CreatedProcess(msgspec.Struct, frozen=True):
    """The container's first process, and the monitor that watches it."""

    process: processes.ProcessIdentity
    monitor: processes.ProcessIdentity


class _Report(msgspec.Struct):
    pid: int
    message: str = ""


class Monitor:
    """Starts conmon for containers; `program` is its path."""

    def __init__(self, program: str, runtime: OciRuntime, exits: Path) -> None:
        self.program = program
        self._runtime = runtime
        self._exits = exits

    async def create(
        self,
        identifier: str,
        bundle: Path,
        log: str,
        *,
        terminal: bool,
        stdin: bool,
        stdin_outlives_clients: bool = False,
    ) -> CreatedProcess:
        """Create the container of a bundle; `log` is a path, "" for no log.

        Raises CommandNotFound, EngineError.
        """
        command = [
            *(self.program, "--cid", identifier, "--cuuid", identifier, "--name", identifier),
            *("--runtime", self._runtime.program, "--bundle", str(bundle)),
            *(word for option in self._runtime.options for word in ("--runtime-arg", option)),
            *("--container-pidfile", str(bundle / "pid")),
            *("--conmon-pidfile", str(bundle / "monitor.pid")),
            *("--exit-dir", str(self._exits), "--log-path", f"k8s-file:{log}" if log else "none"),
            # The attach socket then lies in the bundle, however long its path is.
            *("--socket-dir-path", str(bundle), "--full-attach"),
            *("--no-sync-log", "--log-level", "error"),
            *(("--terminal",) if terminal else ()),
            *(("--stdin",) if stdin else ()),
            *(("--leave-stdin-open",) if stdin and stdin_outlives_clients else ()),
        ]
        report = await self._report_of(command, bundle)
        process = processes.identity_of(report.pid) if report.pid > 0 else None
        monitor = processes.identity_of(int((bundle / "monitor.pid").read_text() or 0))
        if process is None or monitor is None:
            raise failure(report.message or "the container's process ended before it was started")
        return CreatedProcess(process, monitor)

    async def _report_of(self, command: Iterable[str], bundle: Path) -> _Report:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        received = bytearray()
        loop = asyncio.get_running_loop()
        complete: asyncio.Future[None] = loop.create_future()

        def take(piece: bytes) -> None:
            received.extend(piece[: _MESSAGE_LIMIT - len(received)])
            if b"\n" in piece and not complete.done():
                complete.set_result(None)

        def ended() -> None:
            if not complete.done():
                complete.set_result(None)

        try:
            child = await processes.spawn(
                tuple(command),
                environment=ENVIRONMENT | {"_OCI_SYNCPIPE": str(_SYNC_DESCRIPTOR)},
                inherited={_SYNC_DESCRIPTOR: writer},
                new_session=True,
                # conmon leaves a file `oom` where it started.
                folder=bundle,
            )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        pipe = processes.PipeReader(reader, take, ended)
        try:
            async with asyncio.timeout(_CREATE_TIMEOUT):
                await complete
                await child.wait()
        finally:
            pipe.finish()
        return _decoded(bytes(received))


def _decoded(data: bytes) -> _Report:
    line = data.partition(b"\n")[0]
    try:
        return msgspec.json.decode(line, type=_Report)
    except msgspec.DecodeError as error:
        said = line.decode(errors="replace") or "nothing"
        raise EngineError(f"the container's monitor ended early; it said: {said}") from error


def reopen_log(bundle: Path) -> None:
    """Make conmon write to a new file at the log's path. Raises OSError when it is gone."""
    _control(bundle, f"{_REOPEN_LOG} 0 0\n")


def resize(bundle: Path, columns: int, rows: int) -> None:
    """Set the terminal's size. Raises OSError when conmon is gone."""
    _control(bundle, f"{_RESIZE} {rows} {columns}\n")


def _control(bundle: Path, line: str) -> None:
    descriptor = os.open(bundle / "ctl", os.O_WRONLY | os.O_NONBLOCK)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def exit_of(file: Path) -> tuple[int, float] | None:
    """The exit code and the time of the end that conmon left; None when it did not."""
    try:
        return int(file.read_text().strip()), file.stat().st_mtime
    except (FileNotFoundError, ValueError):
        return None
