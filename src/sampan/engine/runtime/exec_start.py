"""Starting a further command in a running container, with pipes or with a terminal.

With a terminal the runtime hands us the pty's master through a Unix socket (SCM_RIGHTS). A command
has begun when the runtime has written down its process; one that can't has none.
"""

import array
import asyncio
import os
import secrets
import signal
import socket
from pathlib import Path
from typing import Any

import msgspec

from sampan.engine.contract import EngineError, ExecOptions
from sampan.engine.runtime import capabilities
from sampan.engine.runtime.exec_files import ExecFiles
from sampan.engine.runtime.exec_session import RuntimeExecSession, StreamName
from sampan.engine.runtime.oci_runtime import ENVIRONMENT, OciRuntime, exec_failure
from sampan.engine.runtime.users import ResolvedUser
from sampan.engine.runtime.working_directory import checked_path
from sampan.host import inotify, processes

_TERMINAL_TIMEOUT = 30.0


def exec_process(
    container: dict[str, Any],
    command: tuple[str, ...],
    options: ExecOptions,
    user: ResolvedUser | None,
    *,
    available: frozenset[str],
) -> dict[str, Any]:
    """The `process` document of a command, from that of the container it runs in.

    `user` is None for the container's own. `available` are the capabilities that the host can
    give to a privileged command. Raises InvalidConfiguration.
    """
    default = {"TERM": "xterm"} if options.terminal else {}
    names = options.environment.keys() | default.keys()
    kept = [entry for entry in container["env"] if entry.partition("=")[0] not in names]
    added = default | options.environment
    changes: dict[str, Any] = {
        "args": list(command),
        "env": kept + [f"{name}={value}" for name, value in added.items()],
        "terminal": options.terminal,
    }
    if user is not None:
        changes["user"] = {
            "uid": user.uid,
            "gid": user.gid,
            "additionalGids": list(user.groups),
        }
    if options.working_directory:
        changes["cwd"] = checked_path(options.working_directory)
    if options.privileged:
        held = sorted(available.intersection(capabilities.ALL))
        changes["capabilities"] = {"bounding": held, "permitted": held, "effective": held}
        changes["noNewPrivileges"] = False
    return container | changes


async def start_session(
    runtime: OciRuntime,
    identifier: str,
    bundle: Path,
    sockets: Path,
    process: dict[str, Any],
    *,
    stdin: bool,
) -> RuntimeExecSession:
    """Run a command in a container. Raises CommandNotFound, EngineError, OSError."""
    files = ExecFiles(bundle)
    files.specification.write_bytes(msgspec.json.encode(process))
    command = (
        runtime.program,
        f"--log=file:{files.log}",
        *runtime.options,
        *("exec", "--process", str(files.specification), "--pid-file", str(files.process_file)),
    )
    changed = asyncio.Event()
    changes = inotify.IN_CLOSE_WRITE | inotify.IN_MOVED_TO
    watch = inotify.FolderWatch(bundle, changes, lambda _: changed.set())
    try:
        if process["terminal"]:
            session = await _start_with_terminal(command, identifier, sockets, files)
        else:
            session = await _start_with_pipes((*command, identifier), files, stdin=stdin)
        await _until_begun(session, changed)
    except CannotBegin as error:
        raise exec_failure(str(error), process["args"][0]) from error
    finally:
        watch.close()
    return session


class CannotBegin(EngineError):
    """The runtime has ended without a command; what it said."""


async def _until_begun(session: RuntimeExecSession, changed: asyncio.Event) -> None:
    """Wait for the command, and let go of what there won't be; `changed` tells of new files.

    Raises CannotBegin.
    """
    ending = asyncio.ensure_future(session.wait())
    try:
        while not session.has_begun:
            if ending.done():
                raise CannotBegin(session.failure)
            changed.clear()
            changing = asyncio.ensure_future(changed.wait())
            await asyncio.wait((changing, ending), return_when=asyncio.FIRST_COMPLETED)
            changing.cancel()
    except BaseException:
        await session.kill()
        session.let_go()
        raise
    finally:
        ending.cancel()


async def _start_with_pipes(
    command: tuple[str, ...], files: ExecFiles, *, stdin: bool
) -> RuntimeExecSession:
    out_reader, out_writer = os.pipe()
    error_reader, error_writer = os.pipe()
    in_reader, in_writer = os.pipe() if stdin else (None, None)
    theirs = [fd for fd in (out_writer, error_writer, in_reader) if fd is not None]
    ours = [fd for fd in (out_reader, error_reader, in_writer) if fd is not None]
    try:
        child = await processes.spawn(
            command,
            environment=ENVIRONMENT,
            stdin=in_reader,
            stdout=out_writer,
            stderr=error_writer,
        )
    except BaseException:
        files.remove()
        for descriptor in ours:
            os.close(descriptor)
        raise
    finally:
        for descriptor in theirs:
            os.close(descriptor)
    for descriptor in ours:
        os.set_blocking(descriptor, False)
    outputs: dict[int, StreamName] = {out_reader: "stdout", error_reader: "stderr"}
    return RuntimeExecSession(child, outputs, in_writer, files, terminal=False)


async def _start_with_terminal(
    command: tuple[str, ...], identifier: str, sockets: Path, files: ExecFiles
) -> RuntimeExecSession:
    loop = asyncio.get_running_loop()
    path = sockets / secrets.token_hex(8)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind(str(path))
        listener.listen(1)
        child = await processes.spawn(
            (*command, "--tty", f"--console-socket={path}", identifier),
            environment=ENVIRONMENT,
        )
        accepting = loop.create_task(loop.sock_accept(listener))
        ending = loop.create_task(child.wait())
        await asyncio.wait(
            (accepting, ending), timeout=_TERMINAL_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        ending.cancel()
        if not accepting.done():
            accepting.cancel()
            child.signal(signal.SIGKILL)
            message = files.read_failure() or "the runtime gave no terminal"
            files.remove()
            raise CannotBegin(message)
        connection, _ = accepting.result()
        master = await _received_descriptor(connection)
    finally:
        listener.close()
        path.unlink(missing_ok=True)
    os.set_blocking(master, False)
    return RuntimeExecSession(child, {master: "stdout"}, master, files, terminal=True)


async def _received_descriptor(connection: socket.socket) -> int:
    """The one descriptor that comes with the first message."""
    with connection:
        connection.setblocking(False)
        async with asyncio.timeout(_TERMINAL_TIMEOUT):
            await processes.until_ready(readable=(connection.fileno(),))
        _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(array.array("i").itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            return array.array("i", data[: array.array("i").itemsize])[0]
    raise EngineError("the runtime sent no terminal")
