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

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.contract import (
    ContainerNotFound,
    ContainerStatus,
    EngineError,
    ImageDescription,
    InvalidConfiguration,
    NameInUse,
    Usage,
)
from sampan.engine.images.source import AcquiredImage, ImageSource
from sampan.engine.runtime import capabilities, seccomp
from sampan.engine.runtime import monitor as monitors
from sampan.engine.runtime.attach import AttachedStreams
from sampan.engine.runtime.attached_session import AttachedSession
from sampan.engine.runtime.bundle import ContainerFolders
from sampan.engine.runtime.exec_session import RuntimeExecSession
from sampan.engine.runtime.exec_start import exec_process, start_session
from sampan.engine.runtime.followed import FollowedContainer
from sampan.engine.runtime.host_facts import host_facts
from sampan.engine.runtime.oci_runtime import OciRuntime
from sampan.engine.runtime.record import ContainerRecord, read_record, write_record
from sampan.engine.runtime.specification import runtime_specification
from sampan.engine.runtime.users import user_in_root
from sampan.engine.snapshots import overlay
from sampan.host import cgroups, processes

DEFAULT_RUNTIME = "/usr/bin/crun"
DEFAULT_MONITOR = "/usr/bin/conmon"
_DEFAULT_STOP_SIGNAL = "SIGTERM"
_SPAWNS_AT_ONCE = 8


class ContainerEngine:
    """Implements the contract's Engine. Use `open`."""

    def __init__(
        self,
        folders: ContainerFolders,
        images: ImageSource,
        *,
        runtime: OciRuntime,
        monitor: monitors.Monitor,
        control_groups: cgroups.ControlGroups,
        owner: str,
        clock: Callable[[], float],
    ) -> None:
        self._folders = folders
        self._images = images
        self._runtime = runtime
        self._monitor = monitor
        self._control_groups = control_groups
        self._owner = owner
        self._clock = clock
        self._host = host_facts(accounts_swap=control_groups.accounts_swap)
        self._containers: dict[str, FollowedContainer] = {}
        self._names: dict[str, str] = {}
        self._callbacks: list[Callable[[ContainerStatus], None]] = []
        self._spawning = asyncio.Semaphore(_SPAWNS_AT_ONCE)

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
    ) -> "ContainerEngine":
        """Take up the containers of these two folders, running or ended.

        The calling process must be their only owner, and in a mount namespace where the OCI
        runtime sees the right control groups (`mounts.hide_unified_hierarchy`). Raises OSError,
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
            monitor=monitors.Monitor(monitor, program, folders.exits),
            control_groups=cgroups.control_groups(),
            owner=str(state),
            clock=clock,
        )
        await engine._adopt_all()
        return engine

    async def image(self, reference: str) -> ImageDescription:
        return await self._images.describe(reference)

    async def images(self) -> list[ImageDescription]:
        return await self._images.images()

    async def create(self, configuration: ContainerConfiguration) -> str:
        if configuration.name in self._names:
            raise NameInUse(f"the name {configuration.name!r} is in use")
        identifier = secrets.token_hex(32)
        self._names[configuration.name] = identifier
        try:
            image = await self._images.acquire(configuration.image, self._owner, identifier)
            await self._create(identifier, configuration, image)
        except BaseException:
            del self._names[configuration.name]
            raise
        return identifier

    async def start(self, identifier: str) -> None:
        container = self._find(identifier)
        async with container.lock:
            if container.record.phase != "created":
                return
            container.update(phase="starting", started=self._clock())
            async with self._spawning:
                try:
                    await self._runtime.start(container.record.identifier)
                except EngineError:
                    container.start_failed()
                    raise
            container.start_succeeded()

    async def stop(self, identifier: str, grace_seconds: float) -> None:
        container = self._find(identifier)
        if container.ended.is_set():
            return
        if container.record.phase == "running":
            container.signal(signal_number(container.record.stop_signal))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    await container.ended.wait()
                    return
        self._kill_everything(container)
        await container.ended.wait()

    async def kill(self, identifier: str, signal: int) -> None:
        self._find(identifier).signal(signal)

    async def wait(self, identifier: str) -> ContainerStatus:
        container = self._find(identifier)
        await container.ended.wait()
        return container.record.status()

    async def remove(self, identifier: str) -> None:
        container = self._containers.get(self._names.get(identifier, identifier))
        if container is None:
            return
        await self.stop(container.record.identifier, 0)
        async with container.lock:
            record = container.record
            if record.identifier in self._containers:
                container.close()
                await self._clean(record.identifier, record)
                del self._containers[record.identifier]
                del self._names[record.configuration.name]

    async def status(self, identifier: str) -> ContainerStatus:
        return self._find(identifier).record.status()

    async def containers(self) -> list[ContainerStatus]:
        return [container.record.status() for container in self._containers.values()]

    async def execute(
        self,
        identifier: str,
        command: tuple[str, ...],
        *,
        terminal: bool = False,
        stdin: bool = False,
        environment: dict[str, str] | None = None,
    ) -> RuntimeExecSession:
        container = self._find(identifier)
        if container.record.phase != "running":
            raise EngineError(f"container {container.record.configuration.name} is not running")
        if not command:
            raise InvalidConfiguration("no command to execute")
        identifier = container.record.identifier
        bundle = self._folders.bundle(identifier)
        specification = msgspec.json.decode((bundle / "config.json").read_bytes())
        process = exec_process(
            specification["process"], command, environment or {}, terminal=terminal
        )
        return await start_session(
            self._runtime, identifier, bundle, self._folders.run, process, stdin=stdin
        )

    async def attach(self, identifier: str) -> AttachedSession:
        try:
            streams = AttachedStreams(self.attach_socket(identifier))
        except OSError as error:
            raise EngineError(f"container {identifier[:12]} isn't running") from error
        return AttachedSession(
            streams,
            functools.partial(self.resize, identifier),
            functools.partial(self.wait, identifier),
        )

    async def usage(self, identifier: str) -> Usage:
        used = self._control_groups.usage(self._find(identifier).record.cgroup)
        return Usage(cpu=used.cpu, memory=used.memory, pids=used.pids)

    def on_change(self, callback: Callable[[ContainerStatus], None]) -> None:
        self._callbacks.append(callback)

    async def reopen_log(self, identifier: str) -> None:
        container = self._find(identifier)
        if not container.ended.is_set():
            monitors.reopen_log(self._folders.bundle(container.record.identifier))

    def attach_socket(self, identifier: str) -> Path:
        """Where conmon offers the container's streams (packets on a Unix socket)."""
        return self._folders.bundle(self._find(identifier).record.identifier) / "attach"

    async def resize(self, identifier: str, columns: int, rows: int) -> None:
        """Set the size of the container's terminal."""
        container = self._find(identifier)
        if not container.ended.is_set():
            monitors.resize(self._folders.bundle(container.record.identifier), columns, rows)

    async def close(self) -> None:
        for container in self._containers.values():
            container.close()
        await self._images.close()

    async def _create(
        self, identifier: str, configuration: ContainerConfiguration, image: AcquiredImage
    ) -> None:
        stop_signal = configuration.stop_signal or image.description.stop_signal
        signal_number(stop_signal)
        record = ContainerRecord(
            identifier=identifier,
            configuration=configuration,
            image_digest=image.description.digest,
            stop_signal=stop_signal,
            created=self._clock(),
        )
        folder = self._folders.container(identifier)
        try:
            folder.mkdir(mode=0o711)
            write_record(folder, record)
            shared = self._process_namespace(configuration)
            async with self._spawning:
                await asyncio.to_thread(self._write_bundle, record, image, shared)
                made = await self._monitor.create(
                    identifier,
                    self._folders.bundle(identifier),
                    Path(configuration.log_path),
                    terminal=configuration.terminal,
                    stdin=configuration.keep_stdin_open,
                )
            record = msgspec.structs.replace(
                record, phase="created", process=made.process, monitor=made.monitor
            )
            write_record(folder, record)
        except BaseException:
            await self._clean(identifier, record)
            raise
        self._tell(self._follow(record))

    def _write_bundle(
        self, record: ContainerRecord, image: AcquiredImage, process_namespace: str
    ) -> None:
        """Mount the snapshot and write the runtime's document. Mounting may block."""
        configuration = record.configuration
        folder = self._folders.container(record.identifier)
        root = overlay.mount_snapshot(folder, [Path(layer) for layer in image.layers])
        user = user_in_root(
            root, configuration.user or image.execution.user, configuration.supplemental_groups
        )
        specification = runtime_specification(
            configuration,
            image.execution,
            user,
            self._host,
            root=str(root),
            cgroup=record.cgroup,
            process_namespace=process_namespace,
        )
        bundle = self._folders.bundle(record.identifier)
        bundle.mkdir(mode=0o700)
        (bundle / "config.json").write_bytes(msgspec.json.encode(specification))
        Path(configuration.log_path).parent.mkdir(parents=True, exist_ok=True)

    def _process_namespace(self, configuration: ContainerConfiguration) -> str:
        if not configuration.share_process_namespace_of:
            return ""
        sharer = self._find(configuration.share_process_namespace_of).record
        if sharer.process is None or not processes.is_alive(sharer.process):
            raise InvalidConfiguration("the container whose processes are to be shared has ended")
        return f"/proc/{sharer.process.process}/ns/pid"

    def _find(self, identifier: str) -> FollowedContainer:
        container = self._containers.get(self._names.get(identifier, identifier))
        if container is None:
            raise ContainerNotFound(f"there is no container {identifier!r}")
        return container

    def _follow(self, record: ContainerRecord) -> FollowedContainer:
        container = FollowedContainer(
            record, self._folders, self._control_groups, self._clock, self._tell
        )
        self._containers[record.identifier] = container
        self._names[record.configuration.name] = record.identifier
        return container

    def _tell(self, container: FollowedContainer) -> None:
        status = container.record.status()
        for callback in self._callbacks:
            callback(status)

    def _kill_everything(self, container: FollowedContainer) -> None:
        container.signal(signal.SIGKILL)
        if container.record.configuration.host_process_namespace:
            self._control_groups.kill_all(container.record.cgroup)

    async def _clean(self, identifier: str, record: ContainerRecord | None) -> None:
        """Take away all that a container left but its log; whatever of it is there."""
        async with self._spawning:
            await self._runtime.delete(identifier)
        if record is not None and self._control_groups.exists(record.cgroup):
            # The runtime had forgotten it: the machine was started anew.
            self._control_groups.kill_all(record.cgroup)
            self._control_groups.remove(record.cgroup)
        folder, bundle = self._folders.container(identifier), self._folders.bundle(identifier)
        await asyncio.to_thread(overlay.remove_snapshot, folder)
        await asyncio.to_thread(overlay.remove_snapshot, bundle)
        self._folders.exit_file(identifier).unlink(missing_ok=True)
        await self._images.release(self._owner, identifier)

    async def _adopt_all(self) -> None:
        """Take up what an earlier process left, whatever it was doing when it ended."""
        for identifier in os.listdir(self._folders.containers):
            record = read_record(self._folders.container(identifier))
            if record is None or record.process is None or record.phase == "creating":
                await self._clean(identifier, record)
                continue
            if record.phase == "starting":
                waits = await self._runtime.is_created(identifier)
                record = msgspec.structs.replace(record, phase="created" if waits else "running")
            self._follow(record)
        await self._images.retain(self._owner, tuple(self._containers))


def signal_number(name: str) -> int:
    """The number of a signal given as `SIGTERM`, `TERM` or `15`; "" is SIGTERM.

    Raises InvalidConfiguration.
    """
    text = name or _DEFAULT_STOP_SIGNAL
    if text.isdecimal() and int(text) in range(1, signal.NSIG):
        return int(text)
    full = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    try:
        return signal.Signals[full]
    except KeyError as error:
        raise InvalidConfiguration(f"there is no signal {name!r}") from error
