"""The streams of running containers: further commands inside them, their own, their terminal."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from sampan.engine.contract import ContainerStatus, EngineError, ExecOptions, InvalidConfiguration
from sampan.engine.runtime import monitor
from sampan.engine.runtime.attach import AttachedStreams
from sampan.engine.runtime.attached_session import AttachedSession
from sampan.engine.runtime.bundle import ContainerFolders
from sampan.engine.runtime.exec_session import RuntimeExecSession
from sampan.engine.runtime.exec_start import exec_process, start_session
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
        self, record: ContainerRecord, command: tuple[str, ...], options: ExecOptions
    ) -> RuntimeExecSession:
        """Run a command in a running container.

        Raises InvalidConfiguration, EngineError.
        """
        if not command:
            raise InvalidConfiguration("no command to execute")
        bundle = self._folders.bundle(record.identifier)
        specification = msgspec.json.decode((bundle / "config.json").read_bytes())
        user = None
        if options.user:
            groups = record.configuration.supplemental_groups
            user = user_in_root(Path(specification["root"]["path"]), options.user, groups)
        document = exec_process(
            specification["process"], command, options, user, available=self._available
        )
        return await start_session(
            self._runtime,
            record.identifier,
            bundle,
            self._folders.run,
            document,
            stdin=options.stdin,
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
