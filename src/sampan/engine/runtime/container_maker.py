"""What a container consists of on its host: made, and taken away again.

Its root (a snapshot), its bundle (the runtime's document), its monitor and first process, its
control group. Which containers there are, and in which phase of life, is not known here.
"""

import asyncio
import contextlib
import errno
import logging
import signal
from pathlib import Path

import msgspec

from sampan.engine.configuration import Limits
from sampan.engine.contract import EngineError, NotImplementedHere
from sampan.engine.runtime import resources
from sampan.engine.runtime.bundle import ContainerFolders
from sampan.engine.runtime.monitor import CreatedProcess, Monitor
from sampan.engine.runtime.oci_runtime import OciRuntime
from sampan.engine.runtime.record import ContainerRecord
from sampan.engine.runtime.specification import HostFacts, runtime_specification
from sampan.engine.runtime.surroundings import SharedNamespaces, surroundings
from sampan.engine.runtime.users import user_in_root
from sampan.engine.runtime.working_directory import make_working_directory
from sampan.engine.snapshots import overlay, size_limit
from sampan.engine.snapshots.size_limit import SizeLimit
from sampan.host import cgroups, identifier_maps, mounts, processes
from sampan.host.cgroup_limits import ControlGroupLimits
from sampan.host.identifier_maps import MappedUsers
from sampan.host.tree_removal import remove_tree

_SPAWNS_AT_ONCE = 8
_log = logging.getLogger(__name__)


class ContainerMaker:
    """Spawns only a few programs at once, however many containers are asked for."""

    def __init__(
        self,
        folders: ContainerFolders,
        runtime: OciRuntime,
        monitor: Monitor,
        control_groups: cgroups.ControlGroups,
        host: HostFacts,
    ) -> None:
        self.spawning = asyncio.Semaphore(_SPAWNS_AT_ONCE)
        self._folders = folders
        self._runtime = runtime
        self._monitor = monitor
        self._control_groups = control_groups
        self._host = host
        self._expecting: asyncio.Future[None] | None = None
        self._going: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait until all that is to go has gone."""
        await asyncio.gather(*self._going, return_exceptions=True)

    def expect_process(self) -> None:
        """A process is about to be made: what the kernel needs some time for begins now."""
        if self._expecting is None or self._expecting.done():
            loop = asyncio.get_running_loop()
            self._expecting = loop.run_in_executor(None, self._expect_moves)

    def _expect_moves(self) -> None:
        try:
            self._control_groups.expect_moves()
        except OSError as error:
            _log.debug("moving a process will take its time: %s", error)

    async def make_root(self, record: ContainerRecord) -> Path:
        """The folder in which the container's root is mounted.

        Raises OSError; NotImplementedHere when users can't be mapped on this file system.
        """
        folder = self._folders.container(record.identifier)
        if overlay.is_mounted(folder):
            return folder / "rootfs"
        maps = record.configuration.uid_maps, record.configuration.gid_maps
        if not any(maps):
            return await asyncio.to_thread(self._mount_root, record, None)
        try:
            async with identifier_maps.user_namespace(*maps) as mapped:
                return await asyncio.to_thread(self._mount_root, record, mapped)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise NotImplementedHere(
                f"users can't be mapped on the file system of {error.filename}"
            ) from error

    async def make_process(
        self, record: ContainerRecord, shared: SharedNamespaces
    ) -> CreatedProcess:
        """Its first process, which waits to be started, and its monitor.

        Raises InvalidConfiguration, CommandNotFound, EngineError, OSError.
        """
        configuration = record.configuration
        bundle = self._folders.bundle(record.identifier)
        root = await self.make_root(record)
        async with self.spawning:
            await asyncio.to_thread(self._write_bundle, record, root, shared)
            return await self._monitor.create(
                record.identifier,
                bundle,
                configuration.log_path,
                terminal=configuration.terminal,
                stdin=configuration.keep_stdin_open,
                stdin_outlives_clients=configuration.stdin_outlives_clients,
            )

    def _weigh(self, record: ContainerRecord) -> None:
        """Give block I/O its weights, where the kernel weighs it. Raises EngineError."""
        limits = record.configuration.limits
        weights = resources.io_weights(limits, resources.device_numbers(limits))
        self._change(record.cgroup, ControlGroupLimits(), weights)

    def _change(self, group: str, before: ControlGroupLimits, after: ControlGroupLimits) -> None:
        try:
            self._control_groups.change_limits(group, before, after)
        except OSError as error:
            raise EngineError(
                f"the kernel refused a limit: {error.filename}: {error.strerror}"
            ) from error

    def change_limits(self, record: ContainerRecord, limits: Limits) -> None:
        """Put other limits in the place of those of a record, at once if its process is there.

        Raises InvalidConfiguration, NotImplementedHere, EngineError; then the former ones hold.
        """
        former = record.configuration.limits
        swap = self._control_groups.accounts_swap
        numbers = resources.device_numbers(former) | resources.device_numbers(limits)
        before, after = (
            resources.control_group_limits(each, numbers, accounts_swap=swap)
            for each in (former, limits)
        )
        if not record.has_process:
            return
        resources.check_changeable(former, limits)
        try:
            self._change(record.cgroup, before, after)
        except EngineError:
            self._change(record.cgroup, after, before)
            raise

    async def end_half_made(self, identifier: str) -> None:
        """End the monitor and the runtime of a former process of ours, at work on a container."""
        while started := self._at_work_on(identifier):
            for identity in started:
                processes.send_signal(identity, signal.SIGKILL)
            await asyncio.gather(*map(processes.until_ended, started))

    async def wait_for_runtime(self, record: ContainerRecord) -> None:
        """Let the runtime come to its end that a former process of ours started."""
        its_own = (record.process, record.monitor)
        started = self._at_work_on(record.identifier)
        await asyncio.gather(
            *(processes.until_ended(each) for each in started if each not in its_own)
        )

    def _at_work_on(self, identifier: str) -> list[processes.ProcessIdentity]:
        programs = (self._runtime.program, self._monitor.program)
        return processes.commands_with(identifier, programs)

    def is_frozen(self, record: ContainerRecord) -> bool:
        """Whether its processes are stopped."""
        return self._control_groups.is_frozen(record.cgroup)

    async def unmake_process(self, record: ContainerRecord) -> None:
        """End what is left of its process and take away all but its root and its log.

        Raises EngineError, OSError.
        """
        identifier = record.identifier
        await self._delete(identifier)
        if self._control_groups.exists(record.cgroup):
            # The runtime knew nothing of it: the machine was started anew, or we were killed.
            await self._control_groups.clear(record.cgroup)
        await asyncio.to_thread(self._remove_bundle, identifier)

    async def unmake(self, identifier: str, record: ContainerRecord | None) -> None:
        """Take away all of it but its log; whatever of it is there. Raises EngineError, OSError."""
        if record is None:
            await self._delete(identifier)
            await asyncio.to_thread(self._remove_bundle, identifier)
        else:
            await self.unmake_process(record)
        await asyncio.to_thread(self._remove_root, identifier, record.project if record else 0)

    def _remove_root(self, identifier: str, project: int) -> None:
        """The record goes with the root, so what is to be given back goes first."""
        size_limit.give_back(self._folders.containers, project)
        overlay.remove_snapshot(self._folders.container(identifier))

    def unmake_later(self, record: ContainerRecord) -> None:
        """Take away all of it but its log while others go on; a failure is logged."""
        going = asyncio.ensure_future(self.unmake(record.identifier, record))
        self._going.add(going)
        going.add_done_callback(self._gone)

    def _gone(self, going: asyncio.Task[None]) -> None:
        self._going.discard(going)
        if not going.cancelled() and (error := going.exception()) is not None:
            _log.error("a container's files could not be removed", exc_info=error)

    async def _delete(self, identifier: str) -> None:
        async with self.spawning:
            await self._runtime.delete(identifier)

    def _passable(self, record: ContainerRecord, root: Path) -> Path:
        """The root where the container's own users can come to it."""
        if not record.configuration.uid_maps:
            return root
        shown = self._folders.mapped_root(record.identifier)
        shown.mkdir(mode=0o711, parents=True, exist_ok=True)
        mounts.unmount_if_mounted(shown)
        mounts.mount_bind(str(root), str(shown))
        return shown

    def _remove_bundle(self, identifier: str) -> None:
        shown = self._folders.mapped_root(identifier)
        if shown.exists():
            mounts.unmount_if_mounted(shown)
            shown.rmdir()
        mounts.unmount_if_mounted(self._folders.shared_memory(identifier))
        with contextlib.suppress(FileNotFoundError):
            remove_tree(self._folders.bundle(identifier))
        self._folders.exit_file(identifier).unlink(missing_ok=True)

    def _mount_root(self, record: ContainerRecord, mapped: MappedUsers | None) -> Path:
        """Mounting may block."""
        return overlay.mount_snapshot(
            self._folders.container(record.identifier),
            [Path(layer) for layer in record.layers],
            durable=record.configuration.durable,
            mapped=mapped,
            limit=_limit(record),
        )

    def _write_bundle(self, record: ContainerRecord, root: Path, shared: SharedNamespaces) -> None:
        """Everything that the runtime reads."""
        configuration = record.configuration
        user = user_in_root(
            root,
            configuration.user or record.execution.user,
            configuration.supplemental_groups,
        )
        bundle = self._folders.bundle(record.identifier)
        bundle.mkdir(mode=0o700)
        specification = runtime_specification(
            configuration,
            record.execution,
            user,
            self._host,
            surroundings(configuration, shared, self._folders.shared_memory(record.identifier)),
            root=str(self._passable(record, root)),
            cgroup=record.cgroup,
        )
        owner = (
            identifier_maps.outside(configuration.uid_maps, 0),
            identifier_maps.outside(configuration.gid_maps, 0),
        )
        make_working_directory(root, specification["process"]["cwd"], owner)
        (bundle / "config.json").write_bytes(msgspec.json.encode(specification))
        if configuration.log_path:
            Path(configuration.log_path).parent.mkdir(parents=True, exist_ok=True)


def _limit(record: ContainerRecord) -> SizeLimit | None:
    size = record.configuration.root_size
    return SizeLimit(record.project, size) if record.project else None
