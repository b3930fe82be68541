"""The machine's own containers as faces see them: each question goes to the part that knows it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec

from sampan.engine.containers import (
    archives,
    attaching,
    committing,
    inspection,
    log_files,
    names,
    observation,
    plugging,
    translation,
    updating,
    validation,
)
from sampan.engine.containers.configuration import (
    Configuration,
    EndpointSettings,
    ExecConfiguration,
    HostConfiguration,
    NetworkingConfiguration,
    UpdateConfiguration,
)
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import (
    AttachOptions,
    Change,
    CommitOptions,
    ContainerDetail,
    Created,
    ExecDetail,
    LogEntry,
    LogOptions,
    PathStatus,
    Pruned,
    Session,
    Sizes,
    Statistics,
    Top,
    WaitCondition,
    WaitResult,
)
from sampan.engine.containers.creation import Creation
from sampan.engine.containers.executions import Executions
from sampan.engine.containers.kept_elsewhere import KeptElsewhere
from sampan.engine.containers.machine_limits import honoured
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.registry import Registry
from sampan.engine.containers.removal import Removal
from sampan.engine.containers.restoration import Restoration
from sampan.engine.containers.supervision import Supervision
from sampan.engine.contract import (
    Conflict,
    InvalidConfiguration,
    NameInUse,
    NotImplementedHere,
)
from sampan.engine.peers.peers import Display


class MachineContainers:
    """Implements the contract's Containers. Use `open`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._registry = Registry(parts)
        self._executions = Executions(parts.engine, self._registry, parts.state)
        self._removal = Removal(parts, self._registry, self._executions)
        self._creation = Creation(parts, self._registry, self._removal)
        self._supervision = Supervision(parts, self._registry, self._removal)

    @property
    def display(self) -> Display:
        """Where the containers of other engines of the machine are to be shown."""
        return KeptElsewhere(self._parts, self._registry)

    @classmethod
    async def open(cls, parts: Parts) -> "MachineContainers":
        """Take up what an earlier process left. Raises EngineError, OSError."""
        containers = cls(parts)
        parts.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        await Restoration(
            parts, containers._registry, containers._removal, containers._supervision
        ).restore()
        await containers._executions.restore()
        containers._supervision.keep(containers._keep_logs_small())
        parts.images.know_running(containers._is_running)
        return containers

    async def close(self) -> None:
        """Let go; containers run on."""
        await self._executions.close()
        await self._supervision.close()

    async def create(
        self,
        name: str,
        configuration: Configuration,
        host: HostConfiguration,
        networking: NetworkingConfiguration,
        platform: str = "",
    ) -> Created:
        return await self._creation.create(name, configuration, host, networking, platform)

    async def start(self, reference: str) -> None:
        await self._supervision.start(self._registry.find_own(reference))

    async def stop(self, reference: str, grace: float | None = None, signal: str = "") -> None:
        await self._supervision.stop(self._registry.find(reference), grace, signal)

    async def restart(self, reference: str, grace: float | None = None, signal: str = "") -> None:
        await self._supervision.restart(self._registry.find_own(reference), grace, signal)

    async def kill(self, reference: str, signal: str = "") -> None:
        await self._supervision.kill(self._registry.find(reference), signal)

    async def pause(self, reference: str) -> None:
        await self._supervision.pause(self._registry.find(reference))

    async def unpause(self, reference: str) -> None:
        await self._supervision.unpause(self._registry.find(reference))

    async def rename(self, reference: str, name: str) -> None:
        container = self._registry.find_own(reference)
        async with container.lock:
            before = container.record.name
            if not name or names.checked(name) == before:
                raise InvalidConfiguration(
                    "Neither old nor new names may be empty"
                    if not name
                    else "Renaming a container with the same name as its current name"
                )
            try:
                taken = self._registry.take_name(name, container.identifier)
            except NameInUse as error:
                raise NameInUse(f"Error when allocating new name: {error}") from error
            try:
                await self._registry.save(container.change(name=taken))
            except BaseException:
                container.change(name=before)
                self._registry.free_name(taken)
                raise
            self._registry.free_name(before)
            await self._parts.networks.rename(container.identifier, taken)
        self._registry.publish(container, "rename", oldName=f"/{before}")

    async def update(self, reference: str, changes: UpdateConfiguration) -> tuple[str, ...]:
        container = self._registry.find_own(reference)
        async with container.lock:
            if container.removing:
                raise Conflict('Container is marked for removal and cannot be "update".')
            changes, told = honoured(changes, self._parts.limited_by)
            host = updating.updated(container.record.host, changes, self._parts.limited_by)
            validation.check_resources(host, self._parts.processors)
            if host.auto_remove and host.restart_policy.name not in ("", "no"):
                raise InvalidConfiguration(
                    "Restart policy cannot be updated because AutoRemove is enabled for the "
                    "container"
                )
            if container.running:
                limits = translation.limits(host)
                await self._parts.engine.update(container.identifier, limits)
            await self._registry.save(container.change(host=host))
        self._registry.publish(container, "update")
        return told

    async def remove(self, reference: str, *, force: bool = False, volumes: bool = False) -> None:
        container = self._registry.find_own(reference)
        if container.removing:
            raise Conflict(f"removal of container {container.identifier} is already in progress")
        _check_removable(container, force=force)
        if force:
            await self._supervision.kill_for_removal(container)
        async with container.lock:
            _check_removable(container, force=False)
            if self._registry.get(container.identifier) is container:
                await self._removal.remove(container, volumes=volumes)

    def wait(self, reference: str, condition: WaitCondition) -> Awaitable[WaitResult]:
        return self._registry.find(reference).until(condition)

    async def inspect(self, reference: str) -> ContainerDetail:
        container = self._registry.find(reference)
        written = await self._parts.engine.written(container.identifier)
        return msgspec.structs.replace(
            self._described(container),
            root=str(written.upper.parent / "rootfs"),
            upper=str(written.upper),
            work=str(written.upper.parent / "work"),
            layers=tuple(map(str, written.layers)),
        )

    async def list(self) -> Sequence[ContainerDetail]:
        newest = sorted(self._registry, key=lambda it: it.record.created, reverse=True)
        return [self._described(container) for container in newest]

    async def sizes(self, reference: str) -> Sizes:
        return await observation.sizes(self._registry.find(reference), self._parts)

    def logs(self, reference: str, options: LogOptions) -> AsyncIterator[LogEntry]:
        container = self._registry.find(reference)
        if container.record.host.log_configuration.kind == log_files.NONE:
            raise NotImplementedHere("configured logging driver does not support reading")
        return self._supervision.logs.read(container, options)

    async def attach(self, reference: str, options: AttachOptions) -> Session:
        container = self._registry.find(reference)
        if container.paused:
            raise Conflict(
                f"container {container.identifier} is paused, unpause the container before attach"
            )
        if container.phase == "restarting":
            raise Conflict(
                f"container {container.identifier} is restarting, "
                "wait until the container is running"
            )
        session = await attaching.attach(
            container, options, self._supervision.logs.read, self._parts.engine.attach
        )
        self._registry.publish(container, "attach")
        return session

    async def resize(self, reference: str, columns: int, rows: int) -> None:
        container = self._registry.find(reference)
        if not container.running:
            raise Conflict(f"container {container.identifier} is not running")
        await self._parts.engine.resize(container.identifier, columns, rows)
        self._registry.publish(container, "resize", height=str(rows), width=str(columns))

    async def connect(self, reference: str, network: str, settings: EndpointSettings) -> None:
        container = self._registry.find_own(reference)
        await plugging.connect(container, network, settings, self._parts, self._registry)

    async def disconnect(self, reference: str, network: str, *, force: bool = False) -> None:
        container = self._registry.find_own(reference)
        await plugging.disconnect(container, network, self._parts, self._registry, force=force)

    async def exec_create(self, reference: str, configuration: ExecConfiguration) -> str:
        return self._executions.create(self._registry.find(reference), configuration)

    async def exec_start(
        self, identifier: str, *, detach: bool = False, console_size: tuple[int, int] | None = None
    ) -> Session | None:
        return await self._executions.start(identifier, detach=detach, console_size=console_size)

    async def exec_inspect(self, identifier: str) -> ExecDetail:
        return self._executions.inspect(identifier)

    async def exec_resize(self, identifier: str, columns: int, rows: int) -> None:
        await self._executions.resize(identifier, columns, rows)

    async def top(self, reference: str, arguments: str = "-ef") -> Top:
        container = self._registry.find(reference)
        answer = await observation.top(container, self._parts, arguments)
        self._registry.publish(container, "top")
        return answer

    async def stats(self, reference: str) -> Statistics:
        return await observation.statistics(self._registry.find(reference), self._parts)

    async def changes(self, reference: str) -> Sequence[Change]:
        return await observation.changes(self._registry.find(reference), self._parts)

    async def export(self, reference: str) -> AsyncIterator[bytes]:
        container = self._registry.find(reference)
        pieces = await archives.export(container, self._parts)
        self._registry.publish(container, "export")
        return pieces

    async def stat_path(self, reference: str, path: str) -> PathStatus:
        return await archives.stat_path(self._registry.find(reference), self._parts, path)

    async def get_archive(
        self, reference: str, path: str
    ) -> tuple[PathStatus, AsyncIterator[bytes]]:
        container = self._registry.find(reference)
        answer = await archives.get_archive(container, self._parts, path)
        self._registry.publish(container, "archive-path")
        return answer

    async def put_archive(
        self,
        reference: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        keep_kinds: bool = False,
        keep_owners: bool = False,
    ) -> None:
        container = self._registry.find(reference)
        await archives.put_archive(
            container,
            self._parts,
            path,
            archive,
            keep_kinds=keep_kinds,
            to_user=keep_owners,
        )
        self._registry.publish(container, "extract-to-dir")

    async def commit(self, reference: str, options: CommitOptions) -> str:
        container = self._registry.find(reference)
        pauses = options.pause and container.running and not container.paused
        if pauses:
            await self._supervision.pause(container)
        try:
            image = await committing.commit(container, self._parts, options)
        finally:
            if pauses and container.running:
                await self._supervision.unpause(container)
        self._registry.publish(container, "commit", comment=options.comment, imageID=image)
        return image

    async def prune(self, predicate: Callable[[ContainerDetail], bool]) -> Pruned:
        removed, space = [], 0
        for container in self._registry:
            ended = not container.running and container.restarting is None
            if (
                container.keeper
                or not ended
                or container.removing
                or not predicate(self._described(container))
            ):
                continue
            written = (await observation.sizes(container, self._parts)).written
            await self.remove(container.identifier)
            removed.append(container.identifier)
            space += written
        self._parts.events.publish("container", "prune", "", {"reclaimed": str(space)})
        return Pruned(tuple(removed), space)

    def _described(self, container: ManagedContainer) -> ContainerDetail:
        return inspection.described(container, self._parts, self._executions.of(container))

    def _is_running(self, identifier: str) -> bool:
        container = self._registry.get(identifier)
        return container is not None and container.running

    async def _keep_logs_small(self) -> None:
        while True:
            await asyncio.sleep(log_files.PERIOD_SECONDS)
            for container in self._registry:
                if container.running:
                    await self._supervision.logs.keep_small(container)


def _check_removable(container: ManagedContainer, *, force: bool) -> None:
    if force or not (container.running or container.restarting is not None):
        return
    state = "paused" if container.paused else "running"
    first = "Unpause and then stop" if container.paused else "Stop"
    raise Conflict(
        f"You cannot remove a {state} container {container.identifier}. {first} the container "
        "before attempting removal or force remove"
    )
