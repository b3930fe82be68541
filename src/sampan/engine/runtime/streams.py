"""The streams of running containers: further commands inside them, their own, their terminal."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from sampan.engine.contract import ContainerStatus, EngineError, InvalidConfiguration
from sampan.engine.runtime import monitor
from sampan.engine.runtime.attach import AttachedStreams
from sampan.engine.runtime.attached_session import AttachedSession
from sampan.engine.runtime.bundle import ContainerFolders
from sampan.engine.runtime.exec_session import RuntimeExecSession
from sampan.engine.runtime.exec_start import ExecSettings, exec_process, start_session
from sampan.engine.runtime.oci_runtime import OciRuntime
from sampan.engine.runtime.record import ContainerRecord
from sampan.engine.runtime.users import user_in_root


class ContainerStreams:
    """`available` are the capabilities that the host can give to privileged commands."""

    def __init__(
        self, folders: ContainerFolders, runtime: OciRuntime, available: frozenset[str]
    ) -> None:
        self._folders = folders
        self._runtime = runtime
        self._available = available

    async def execute(
        self, record: ContainerRecord, settings: ExecSettings, *, user: str, stdin: bool
    ) -> RuntimeExecSession:
        """Run a command in a running container; `user` is "" for the container's own.

        Raises InvalidConfiguration, EngineError.
        """
        if not settings.command:
            raise InvalidConfiguration("no command to execute")
        bundle = self._folders.bundle(record.identifier)
        specification = msgspec.json.decode((bundle / "config.json").read_bytes())
        if user:
            groups = record.configuration.supplemental_groups
            resolved = user_in_root(Path(specification["root"]["path"]), user, groups)
            settings = msgspec.structs.replace(settings, user=resolved)
        process = exec_process(specification["process"], settings, self._available)
        return await start_session(
            self._runtime, record.identifier, bundle, self._folders.run, process, stdin=stdin
        )

    def attach(
        self,
        record: ContainerRecord,
        resize: Callable[[int, int], Awaitable[None]],
        wait: Callable[[], Awaitable[ContainerStatus]],
    ) -> AttachedSession:
        """The container's own streams. Raises EngineError when it has no monitor."""
        try:
            streams = AttachedStreams(self._folders.bundle(record.identifier) / "attach")
        except OSError as error:
            raise EngineError(f"container {record.configuration.name} isn't running") from error
        process = record.process.process if record.process is not None else 0
        return AttachedSession(streams, resize, wait, process)

    def resize(self, record: ContainerRecord, columns: int, rows: int) -> None:
        """Set the size of its terminal. Raises OSError when it has ended."""
        monitor.resize(self._folders.bundle(record.identifier), columns, rows)

    def reopen_log(self, record: ContainerRecord) -> None:
        """Let its monitor write to a new file at the log's path. Raises OSError."""
        monitor.reopen_log(self._folders.bundle(record.identifier))
