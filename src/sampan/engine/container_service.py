"""The machine's own containers as methods on the engine's socket: run, exec, logs and so on.

They belong to nobody's pods. Their names come from users; their logs lie beside the engine's
state and go when they go.
"""

import asyncio
import logging
import secrets
from pathlib import Path
from typing import Any, Literal

import msgspec

from sampan.engine.configuration import ContainerConfiguration, Limits, Mount
from sampan.engine.container_engine import ContainerEngine
from sampan.engine.contract import ContainerStatus, EngineError, ExecSession, InvalidConfiguration
from sampan.engine.log_rotation import LogLimits, keep_logs_small, remove_log
from sampan.engine.logs import LogOptions, read_log
from sampan.engine.service import frames
from sampan.engine.service.server import Call, Handler

_log = logging.getLogger(__name__)
_REMOVED_AT_END = "sampan.remove-at-end"
_HOST_FILES = ("/etc/resolv.conf", "/etc/hosts")
_STREAM_FRAMES = {"stdout": frames.STDOUT, "stderr": frames.STDERR}
DEFAULT_PIDS = 4096


class RunArguments(msgspec.Struct, frozen=True, kw_only=True):
    """What `sampan run` asks for; what is empty comes from the image."""

    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    name: str = ""
    detached: bool = False
    removed_at_end: bool = False
    interactive: bool = False
    terminal: bool = False
    environment: dict[str, str] = {}
    user: str = ""
    working_directory: str = ""
    hostname: str = ""
    network: Literal["none", "host"] = "none"
    mounts: tuple[Mount, ...] = ()
    limits: Limits = Limits()
    read_only_root: bool = False
    labels: dict[str, str] = {}


class StopArguments(msgspec.Struct, frozen=True):
    name: str
    grace_seconds: float = 10.0


class RemoveArguments(msgspec.Struct, frozen=True):
    name: str
    force: bool = False


class LogArguments(msgspec.Struct, frozen=True):
    name: str
    options: LogOptions = LogOptions()


class ExecArguments(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    command: tuple[str, ...]
    terminal: bool = False
    interactive: bool = False
    environment: dict[str, str] = {}


class ContainerService:
    """`cgroup` is the group that the containers are in, `logs` the folder of their logs."""

    def __init__(self, engine: ContainerEngine, cgroup: str, logs: Path) -> None:
        self._engine = engine
        self._cgroup = cgroup
        self._logs = logs
        self._tasks: set[asyncio.Future[None]] = set()

    def handlers(self) -> dict[str, Handler]:
        return {
            "containers.run": self._run,
            "containers.list": self._list,
            "containers.logs": self._read_logs,
            "containers.stop": self._stop,
            "containers.remove": self._remove,
            "containers.exec": self._exec,
        }

    async def start(self) -> None:
        """Take up where an earlier process left off. Raises OSError."""
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._keep(asyncio.ensure_future(keep_logs_small(self._engine, LogLimits())))
        for status in await self._engine.containers():
            if _REMOVED_AT_END in status.labels:
                self._remove_at_end(status.identifier)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, call: Call) -> dict[str, Any]:
        wanted = call.arguments(RunArguments)
        identifier = await self._engine.create(self._configuration(wanted))
        if wanted.removed_at_end:
            self._remove_at_end(identifier)
        try:
            if wanted.detached:
                await self._engine.start(identifier)
                return {"identifier": identifier, "exit_code": 0}
            exit_code = await self._run_attached(call, identifier, interactive=wanted.interactive)
        except (EngineError, asyncio.CancelledError):
            if (await self._engine.status(identifier)).phase == "created":
                await self._discard(identifier)
            raise
        return {"identifier": identifier, "exit_code": exit_code}

    async def _run_attached(self, call: Call, identifier: str, *, interactive: bool) -> int:
        await self._engine.prepare(identifier)
        streams = await self._engine.attach(identifier)
        feeding = asyncio.ensure_future(self._feed(call, identifier, streams, interactive))
        try:
            await self._engine.start(identifier)
            async for stream, data in streams.output():
                await call.send(_STREAM_FRAMES[stream], data)
            return (await self._engine.wait(identifier)).exit_code
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await streams.kill()

    async def _feed(
        self, call: Call, identifier: str, streams: ExecSession, interactive: bool
    ) -> None:
        """Pass the client's input, signals and terminal size on to the container."""
        while True:
            kind, payload = await call.inputs.get()
            if kind == frames.INPUT and interactive:
                await streams.write(payload)
            elif kind == frames.INPUT_END and interactive:
                await streams.close_stdin()
            elif kind == frames.RESIZE:
                size = msgspec.json.decode(payload)
                await self._engine.resize(identifier, size["columns"], size["rows"])
            elif kind == frames.SIGNAL:
                await self._engine.kill(identifier, msgspec.json.decode(payload)["signal"])

    async def _list(self, call: Call) -> list[ContainerStatus]:
        return await self._engine.containers()

    async def _read_logs(self, call: Call) -> None:
        wanted = call.arguments(LogArguments)
        status = await self._engine.status(wanted.name)
        ended = asyncio.Event()
        waiting = asyncio.ensure_future(self._set_at_end(status.identifier, ended))
        try:
            async for stream, data in read_log(Path(status.log_path), wanted.options, ended):
                await call.send(_STREAM_FRAMES[stream], data)
        except FileNotFoundError as error:
            raise EngineError(f"container {wanted.name} has no log") from error
        finally:
            waiting.cancel()

    async def _set_at_end(self, identifier: str, ended: asyncio.Event) -> None:
        await self._engine.wait(identifier)
        ended.set()

    async def _stop(self, call: Call) -> None:
        wanted = call.arguments(StopArguments)
        await self._engine.stop(wanted.name, wanted.grace_seconds)

    async def _remove(self, call: Call) -> None:
        wanted = call.arguments(RemoveArguments)
        status = await self._engine.status(wanted.name)
        if status.phase == "running" and not wanted.force:
            raise EngineError(
                f"container {wanted.name} is running: stop it first, or remove it with --force"
            )
        await self._discard(status.identifier)

    async def _exec(self, call: Call) -> dict[str, int]:
        wanted = call.arguments(ExecArguments)
        session = await self._engine.execute(
            wanted.name,
            wanted.command,
            terminal=wanted.terminal,
            stdin=wanted.interactive,
            environment=wanted.environment,
        )
        feeding = asyncio.ensure_future(_feed_session(call, session))
        try:
            async for stream, data in session.output():
                await call.send(_STREAM_FRAMES[stream], data)
            return {"exit_code": await session.wait()}
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await session.kill()

    def _configuration(self, wanted: RunArguments) -> ContainerConfiguration:
        token = secrets.token_hex(6)
        labels = wanted.labels | ({_REMOVED_AT_END: "true"} if wanted.removed_at_end else {})
        host_files: tuple[Mount, ...] = ()
        if wanted.network == "host":
            host_files = tuple(
                Mount(source=path, target=path, read_only=True) for path in _HOST_FILES
            )
        return ContainerConfiguration(
            name=_checked_name(wanted.name) or f"container-{token}",
            image=wanted.image,
            entrypoint=wanted.entrypoint,
            command=wanted.command,
            environment=wanted.environment,
            working_directory=wanted.working_directory,
            user=wanted.user,
            hostname=wanted.hostname or token,
            mounts=host_files + wanted.mounts,
            limits=msgspec.structs.replace(wanted.limits, pids=wanted.limits.pids or DEFAULT_PIDS),
            cgroup_parent=self._cgroup,
            network_namespace="host" if wanted.network == "host" else "",
            read_only_root=wanted.read_only_root,
            terminal=wanted.terminal,
            keep_stdin_open=wanted.interactive,
            log_path=str(self._logs / f"{token}.log"),
            labels=labels,
        )

    def _remove_at_end(self, identifier: str) -> None:
        self._keep(asyncio.ensure_future(self._discard_at_end(identifier)))

    def _keep(self, task: asyncio.Future[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _discard_at_end(self, identifier: str) -> None:
        try:
            await self._engine.wait(identifier)
            await self._discard(identifier)
        except (EngineError, OSError):
            _log.exception("container %s could not be removed at its end", identifier)

    async def _discard(self, identifier: str) -> None:
        """Remove a container and its log; nothing happens when it is gone already."""
        for status in await self._engine.containers():
            if status.identifier == identifier:
                await self._engine.remove(identifier)
                remove_log(Path(status.log_path))


async def _feed_session(call: Call, session: ExecSession) -> None:
    while True:
        kind, payload = await call.inputs.get()
        try:
            if kind == frames.INPUT:
                await session.write(payload)
            elif kind == frames.INPUT_END:
                await session.close_stdin()
            elif kind == frames.RESIZE:
                size = msgspec.json.decode(payload)
                await session.resize(size["columns"], size["rows"])
        except BrokenPipeError:
            _log.debug("input for a command that no longer reads")


def _checked_name(name: str) -> str:
    """Raises InvalidConfiguration for a name that could be taken for a path or an identifier."""
    if name and not (len(name) <= 128 and name[0].isalnum() and _is_plain(name)):
        raise InvalidConfiguration(
            f"the name {name[:140]!r} is invalid: use letters, digits, '_', '.' and '-'"
        )
    return name


def _is_plain(name: str) -> bool:
    return all(letter.isascii() and (letter.isalnum() or letter in "_.-") for letter in name)
