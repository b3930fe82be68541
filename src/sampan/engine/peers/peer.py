"""One node's engine as the machine's engine sees it: what it keeps, and how it is asked."""

import asyncio
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sampan.engine.contract import (
    PLAIN_EXEC,
    ContainerStatus,
    EngineError,
    ExecOptions,
    Written,
)
from sampan.engine.peers import messages
from sampan.engine.runtime.record import ContainerRecord
from sampan.engine.service import frames
from sampan.engine.service.errors import decode_error
from sampan.engine.service.streams import RemoteSession
from sampan.engine.snapshots import overlay
from sampan.host.cgroup_usage import DetailedUsage
from sampan.host.cgroups import ControlGroups
from sampan.host.processes import identity_of

_Answer = TypeVar("_Answer")


class Peer:
    """`process` is the engine's, in whose mount namespace its containers' roots are.

    Its methods are those of the contract's Engine; an engine that is gone raises EngineError.
    """

    def __init__(
        self, membership: messages.Membership, process: int, groups: ControlGroups
    ) -> None:
        self.name = membership.name
        self.records: dict[str, ContainerRecord] = {}
        self._socket = Path(membership.socket)
        self._containers = Path(membership.containers)
        self._process = process
        self._groups = groups

    async def kill(self, identifier: str, signal: int) -> None:
        await self._ask("containers.kill", messages.Signal(identifier, signal))

    async def stop(self, identifier: str, grace_seconds: float) -> None:
        await self._ask("containers.stop", messages.Stop(identifier, grace_seconds))

    async def pause(self, identifier: str) -> None:
        await self._ask("containers.pause", messages.OfContainer(identifier))

    async def unpause(self, identifier: str) -> None:
        await self._ask("containers.unpause", messages.OfContainer(identifier))

    async def resize(self, identifier: str, columns: int, rows: int) -> None:
        await self._ask("containers.resize", messages.Size(identifier, columns, rows))

    async def execute(
        self, identifier: str, command: tuple[str, ...], options: ExecOptions = PLAIN_EXEC
    ) -> RemoteSession:
        asked = messages.Command(identifier=identifier, command=command, options=options)
        return await self._session("containers.execute", asked)

    async def attach(self, identifier: str) -> RemoteSession:
        return await self._session("containers.attach", messages.OfContainer(identifier))

    async def root(self, identifier: str) -> Path:
        """Its root as it appears here, without what is mounted in it."""
        path = await self._ask("containers.root", messages.OfContainer(identifier), str)
        return Path(f"/proc/{self._process}/root{path}")

    async def written(self, identifier: str) -> Written:
        record = self.records[identifier]
        return Written(
            upper=await asyncio.to_thread(overlay.written_folder, self._containers / identifier),
            layers=tuple(Path(layer) for layer in record.layers),
            uid_maps=record.configuration.uid_maps,
            gid_maps=record.configuration.gid_maps,
        )

    async def processes(self, identifier: str) -> tuple[int, ...]:
        return tuple(sorted(self._groups.processes(self.records[identifier].cgroup)))

    async def detailed_usage(self, identifier: str) -> DetailedUsage:
        return self._groups.detailed_usage(self.records[identifier].cgroup)

    async def status(self, identifier: str) -> ContainerStatus:
        return self.records[identifier].status()

    def first_process(self, record: ContainerRecord) -> int:
        """A running container's, as this process's PID namespace numbers it; 0 if not found.

        The start time is the same in every PID namespace.
        """
        if record.process is None or record.phase != "running":
            return 0
        for process in sorted(self._groups.processes(record.cgroup)):
            found = identity_of(process)
            if found is not None and found.start_time == record.process.start_time:
                return process
        return 0

    async def _ask(
        self, method: str, arguments: msgspec.Struct, kind: type[_Answer] | Any = Any
    ) -> Any:
        question = frames.question(method, msgspec.to_builtins(arguments))
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._socket))
            try:
                writer.write(question)
                received, payload = await frames.read_frame(reader)
            finally:
                writer.close()
        except (OSError, EOFError) as error:
            raise self._unreachable() from error
        if received == frames.ERROR:
            raise decode_error(payload)
        return msgspec.json.decode(payload, type=kind)

    async def _session(self, method: str, arguments: msgspec.Struct) -> RemoteSession:
        try:
            return await RemoteSession.open(self._socket, method, msgspec.to_builtins(arguments))
        except OSError as error:
            raise self._unreachable() from error

    def _unreachable(self) -> EngineError:
        return EngineError(f"the engine of {self.name} does not answer")
