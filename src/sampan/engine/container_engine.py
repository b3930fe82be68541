"""The container engine of one node: records, snapshots, conmon and the OCI runtime together.

Theory: the record of a container says what was intended, then what came true. A container is
followed by the pidfd of its monitor (conmon): when the monitor ends it has left the exit code
in a file. All that a later process needs to go on lies in the two folders, in the kernel and
in the monitors; nothing is polled. Images come from the machine's one store.
"""

import asyncio
import contextlib
import functools
import os
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from sampan.engine.configuration import ContainerConfiguration, Limits
from sampan.engine.contract import (
    PLAIN_EXEC,
    ContainerNotFound,
    ContainerStatus,
    EngineError,
    ExecOptions,
    ImageDescription,
    Usage,
    Written,
)
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.source import ImageSource
from sampan.engine.runtime import capabilities, seccomp
from sampan.engine.runtime.adoption import Adoption
from sampan.engine.runtime.attached_session import AttachedSession
from sampan.engine.runtime.bundle import ContainerFolders
from sampan.engine.runtime.container_maker import ContainerMaker
from sampan.engine.runtime.exec_session import RuntimeExecSession
from sampan.engine.runtime.followed import FollowedContainer
from sampan.engine.runtime.host_facts import host_facts
from sampan.engine.runtime.monitor import Monitor
from sampan.engine.runtime.oci_runtime import OciRuntime
from sampan.engine.runtime.record import (
    ContainerRecord,
    reconfigured,
    stepped_back,
    write_record,
)
from sampan.engine.runtime.roster import Roster
from sampan.engine.runtime.sharing import shared_namespaces
from sampan.engine.runtime.signals import signal_number
from sampan.engine.runtime.streams import ContainerStreams
from sampan.engine.snapshots import overlay, size_limit
from sampan.host import cgroups
from sampan.host.cgroup_usage import DetailedUsage
from sampan.host.machine import machine_facts
from sampan.host.project_quota import has_project_quotas

DEFAULT_RUNTIME = "/usr/bin/crun"
DEFAULT_MONITOR = "/usr/bin/conmon"
_SIGKILL = int(signal.SIGKILL)


class ContainerEngine:
    """Implements the contract's Engine. Use `open`."""

    def __init__(
        self,
        folders: ContainerFolders,
        images: ImageSource,
        *,
        runtime: OciRuntime,
        monitor: Monitor,
        control_groups: cgroups.ControlGroups,
        owner: str,
        clock: Callable[[], float],
        boot: str,
    ) -> None:
        self._folders = folders
        self._images = images
        self._runtime = runtime
        self._control_groups = control_groups
        self._owner = owner
        self._clock = clock
        self._boot = boot
        host = host_facts(control_groups)
        self._maker = ContainerMaker(folders, runtime, monitor, control_groups, host)
        self._streams = ContainerStreams(folders, runtime, host.capabilities)
        self._roster = Roster(
            lambda record, tell: FollowedContainer(record, folders, control_groups, clock, tell)
        )

    @classmethod
    async def open(
        cls,
        state: Path,
        run: Path,
        images: ImageSource,
        *,
        runtime: str = DEFAULT_RUNTIME,
        monitor: str = DEFAULT_MONITOR,
        clock: Callable[[], float] = time.time,
        boot: str = "",
    ) -> "ContainerEngine":
        """Take up the containers of these two folders, running or ended.

        The calling process must be their only owner, and in a mount namespace where the OCI
        runtime sees the right control groups (`mounts.hide_unified_hierarchy`). `boot` tells
        this start of the machine from others, "" for what the kernel says. Raises OSError,
        EngineError.
        """
        folders = ContainerFolders(state, run)
        folders.make()
        # Compiled now, so that the first container doesn't wait for it.
        seccomp.default_program(capabilities.DEFAULT)
        program = OciRuntime(runtime, folders.runtime_state)
        engine = cls(
            folders,
            images,
            runtime=program,
            monitor=Monitor(monitor, program, folders.exits),
            control_groups=cgroups.control_groups(),
            owner=str(state),
            clock=clock,
            boot=boot or machine_facts().boot_identifier,
        )
        await engine._adopt_all()
        return engine

    async def image(self, reference: str) -> ImageDescription:
        return await self._images.describe(reference)

    async def images(self) -> list[ImageDescription]:
        return await self._images.images()

    async def pull_image(
        self, reference: str, credentials: tuple[Credentials, ...] = ()
    ) -> ImageDescription:
        return await self._images.pull(reference, credentials)

    async def create(self, configuration: ContainerConfiguration, identifier: str = "") -> str:
        self._maker.expect_process()
        identifier = identifier or secrets.token_hex(32)
        self._roster.reserve(configuration.name, identifier)
        try:
            await self._create(identifier, configuration)
        except BaseException:
            self._roster.give_up(configuration.name)
            raise
        return identifier

    async def prepare(
        self, identifier: str, configuration: ContainerConfiguration | None = None
    ) -> None:
        self._maker.expect_process()
        container = self._roster.find(identifier)
        async with container.lock:
            if container.record.phase in ("created", "exited"):
                await self._prepare(container, configuration or container.record.configuration)

    async def start(self, identifier: str) -> None:
        container = self._roster.find(identifier)
        async with container.lock:
            if container.record.phase == "created":
                await self._prepare(container, container.record.configuration)
            if container.record.phase != "prepared":
                return
            container.update(phase="starting", started=self._clock())
            try:
                async with self._maker.spawning:
                    await self._runtime.start(container.record.identifier)
            except BaseException:
                await self._undo(container)
                raise
            container.start_succeeded()

    async def stop(self, identifier: str, grace_seconds: float) -> None:
        container = self._roster.find(identifier)
        if container.record.phase != "running":
            async with container.lock:  # A start under way comes to its end first.
                if container.record.phase == "created":
                    container.end_unstarted()
        if container.record.phase == "running":
            container.signal(signal_number(container.record.stop_signal))
            self._thaw(container)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    await container.ended.wait()
        if not container.ended.is_set():
            self._kill_everything(container)
            await container.ended.wait()

    async def kill(self, identifier: str, signal: int) -> None:
        container = self._roster.find(identifier)
        container.signal(signal)
        if signal == _SIGKILL:
            self._thaw(container)

    async def pause(self, identifier: str) -> None:
        container = self._roster.find_running(identifier)
        async with container.lock:
            if not container.record.paused:
                container.update(paused=True)
                try:
                    await self._control_groups.freeze(container.record.cgroup)
                except BaseException:
                    self._thaw(container)
                    raise
                self._roster.tell(container)

    async def unpause(self, identifier: str) -> None:
        container = self._roster.find_running(identifier)
        async with container.lock:
            self._thaw(container)

    async def update(self, identifier: str, limits: Limits) -> None:
        container = self._roster.find(identifier)
        async with container.lock:
            self._maker.change_limits(container.record, limits)
            configuration = container.record.configuration
            container.update(configuration=msgspec.structs.replace(configuration, limits=limits))

    async def root(self, identifier: str) -> Path:
        container = self._roster.find(identifier)
        async with container.lock:
            return await self._maker.make_root(container.record)

    async def written(self, identifier: str) -> Written:
        record = self._roster.find_record(identifier)
        folder = self._folders.container(record.identifier)
        return Written(
            upper=await asyncio.to_thread(overlay.written_folder, folder),
            layers=tuple(Path(layer) for layer in record.layers),
            uid_maps=record.configuration.uid_maps,
            gid_maps=record.configuration.gid_maps,
        )

    async def processes(self, identifier: str) -> tuple[int, ...]:
        record = self._roster.find_running(identifier).record
        return tuple(sorted(self._control_groups.processes(record.cgroup)))

    async def wait(self, identifier: str) -> ContainerStatus:
        container = self._roster.find(identifier)
        await container.ended.wait()
        return container.record.status()

    async def remove(self, identifier: str) -> None:
        await self._remove(identifier, waits=True)

    async def discard(self, identifier: str) -> None:
        await self._remove(identifier, waits=False)

    async def status(self, identifier: str) -> ContainerStatus:
        return self._roster.find_record(identifier).status()

    async def containers(self) -> list[ContainerStatus]:
        return [container.record.status() for container in self._roster]

    async def execute(
        self,
        identifier: str,
        command: tuple[str, ...],
        options: ExecOptions = PLAIN_EXEC,
    ) -> RuntimeExecSession:
        self._maker.expect_process()
        record = self._roster.find_running(identifier).record
        return await self._streams.execute(record, command, options)

    async def attach(self, identifier: str) -> AttachedSession:
        return self._streams.attach(
            self._roster.find_record(identifier),
            functools.partial(self.resize, identifier),
            functools.partial(self.wait, identifier),
        )

    async def usage(self, identifier: str) -> Usage:
        used = self._control_groups.usage(self._roster.find_record(identifier).cgroup)
        return Usage(cpu=used.cpu, memory=used.memory, pids=used.pids)

    async def detailed_usage(self, identifier: str) -> DetailedUsage:
        return self._control_groups.detailed_usage(self._roster.find_record(identifier).cgroup)

    @property
    def containers_folder(self) -> Path:
        """Where the files of each container lie, by its identifier."""
        return self._folders.containers

    def record(self, identifier: str) -> ContainerRecord:
        """All that is written down of a container. Raises ContainerNotFound."""
        return self._roster.find_record(identifier)

    def records(self) -> list[ContainerRecord]:
        return [container.record for container in self._roster]

    def on_change(self, callback: Callable[[ContainerStatus], None]) -> None:
        self._roster.on_change(callback)

    def on_removal(self, callback: Callable[[str], None]) -> None:
        """Call back in the event loop with the identifier of each container that goes."""
        self._roster.on_removal(callback)

    async def reopen_log(self, identifier: str) -> None:
        container = self._roster.find(identifier)
        if not container.ended.is_set():
            self._streams.reopen_log(container.record)

    async def resize(self, identifier: str, columns: int, rows: int) -> None:
        """Set the size of the container's terminal."""
        container = self._roster.find(identifier)
        if not container.ended.is_set():
            self._streams.resize(container.record, columns, rows)

    async def close(self) -> None:
        for container in self._roster:
            container.close()
        await self._maker.close()
        await self._images.close()

    async def _create(self, identifier: str, configuration: ContainerConfiguration) -> None:
        if configuration.root_size and not has_project_quotas(self._folders.containers):
            raise EngineError(
                "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
            )
        image = await self._images.acquire(configuration.image, self._owner, identifier)
        stop_signal = configuration.stop_signal or image.description.stop_signal
        record = ContainerRecord(
            identifier=identifier,
            configuration=configuration,
            image_digest=image.description.digest,
            stop_signal=stop_signal,
            execution=image.execution,
            layers=image.layers,
            created=self._clock(),
        )
        folder = self._folders.container(identifier)
        try:
            signal_number(stop_signal)
            if configuration.root_size:
                project = size_limit.free_project(self._folders.containers)
                record = msgspec.structs.replace(record, project=project)
            folder.mkdir(mode=0o711)
            write_record(folder, record)
            await self._maker.make_root(record)
            record = msgspec.structs.replace(record, phase="created")
            write_record(folder, record)
        except BaseException:
            await self._maker.unmake(identifier, record)
            await self._images.release(self._owner, identifier)
            raise
        self._roster.tell(self._roster.add(record))

    async def _remove(self, identifier: str, *, waits: bool) -> None:
        try:
            container = self._roster.find(identifier)
        except ContainerNotFound:
            return
        await self.stop(container.record.identifier, 0)
        async with container.lock:
            record = container.record
            if record.identifier not in self._roster:
                return
            container.close()
            if waits:
                await self._maker.unmake(record.identifier, record)
            await self._images.release(self._owner, record.identifier)
            self._roster.remove(record)
            if not waits:
                self._maker.unmake_later(record)

    async def _prepare(
        self, container: FollowedContainer, configuration: ContainerConfiguration
    ) -> None:
        before = container.record
        configuration = reconfigured(before, configuration)
        shared = shared_namespaces(configuration, self._roster.find_record, self._folders)
        if before.phase == "exited":
            await self._maker.unmake_process(before)
        container.update(phase="preparing", boot=self._boot, configuration=configuration)
        try:
            container.prepared(await self._maker.make_process(container.record, shared))
        except BaseException:
            await self._maker.unmake_process(container.record)
            container.step_back(before)
            raise

    async def _undo(self, container: FollowedContainer) -> None:
        """Take the process away again, unless the container has ended by itself."""
        if container.record.phase != "exited":
            container.close()
            await self._maker.unmake_process(container.record)
            container.step_back(stepped_back(container.record))

    def _kill_everything(self, container: FollowedContainer) -> None:
        container.signal(signal.SIGKILL)
        configuration = container.record.configuration
        if configuration.host_process_namespace or configuration.share_process_namespace_of:
            self._control_groups.kill_all(container.record.cgroup)
        self._thaw(container)

    def _thaw(self, container: FollowedContainer) -> None:
        if container.record.paused:
            self._control_groups.thaw(container.record.cgroup)
            container.update(paused=False)
            self._roster.tell(container)

    async def _adopt_all(self) -> None:
        """Take up what an earlier process left, whatever it was doing when it ended."""
        adoption = Adoption(self._folders, self._boot, self._maker, self._runtime)
        for identifier in os.listdir(self._folders.containers):
            record = await adoption.record_of(identifier, self._clock())
            if record is None:
                await self._images.release(self._owner, identifier)
            else:
                self._roster.add(record)
        await self._images.retain(
            self._owner, tuple(container.record.identifier for container in self._roster)
        )
