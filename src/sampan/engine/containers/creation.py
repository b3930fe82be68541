"""Creating a container: from what a client wants to a record, a root and volumes, not yet started.

The record is written before anything is made, so that what a crash leaves half done is found
and taken away.
"""

import asyncio
import os
import secrets
import stat
from pathlib import Path

import msgspec

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.containers import validation
from sampan.engine.containers.configuration import (
    Configuration,
    EndpointSettings,
    HostConfiguration,
    NetworkingConfiguration,
)
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import Created
from sampan.engine.containers.host_defaults import with_defaults
from sampan.engine.containers.image_defaults import with_image_defaults
from sampan.engine.containers.log_files import log_limits
from sampan.engine.containers.machine_limits import honoured
from sampan.engine.containers.mount_plan import PlannedMount, planned_mounts, references_of
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.record import ContainerRecord
from sampan.engine.containers.registry import Registry
from sampan.engine.containers.removal import Removal
from sampan.engine.containers.storage_options import root_size
from sampan.engine.containers.translation import RunFacts, engine_configuration
from sampan.engine.containers.user_remapping import maps_of
from sampan.engine.contract import ContainerNotFound, InvalidConfiguration
from sampan.engine.networks.contract import BRIDGE, CONTAINER_MODE, DEFAULT_MODE, HOST
from sampan.engine.volumes.contract import LOCAL_DRIVER, VolumeDefinition
from sampan.host import paths
from sampan.host.identifier_maps import UNMAPPED

_SHORT = 12


class Creation:
    def __init__(self, parts: Parts, registry: Registry, removal: Removal) -> None:
        self._parts = parts
        self._registry = registry
        self._removal = removal

    async def create(
        self,
        name: str,
        configuration: Configuration,
        host: HostConfiguration,
        networking: NetworkingConfiguration,
        platform: str,
    ) -> Created:
        """See the contract."""
        validation.check(configuration, host, self._parts.processors)
        told = validation.warnings(configuration, host)
        host, discarded = honoured(host, self._parts.limited_by)
        log_limits(host.log_configuration)
        identifier = secrets.token_hex(32)
        taken = self._registry.take_name(name, identifier)
        try:
            record = await self._record(identifier, taken, configuration, host, networking)
            if platform:
                record = msgspec.structs.replace(record, platform=platform.partition("/")[0])
            container = await self._make(record)
        except BaseException:
            self._registry.free_name(taken)
            raise
        self._registry.publish(container, "create")
        return Created(identifier, (*told, *discarded))

    async def _record(
        self,
        identifier: str,
        name: str,
        configuration: Configuration,
        host: HostConfiguration,
        networking: NetworkingConfiguration,
    ) -> ContainerRecord:
        image = await self._parts.images.inspect(configuration.image)
        merged = with_image_defaults(configuration, image.execution)
        host = self._settled_host(host)
        others = {
            reference: self._other(reference).record.mounts for reference in references_of(host)
        }
        if not merged.hostname and not host.network_mode.startswith(CONTAINER_MODE):
            own = self._parts.host_name if host.network_mode == HOST else identifier[:_SHORT]
            merged = msgspec.structs.replace(merged, hostname=own)
        mounts = planned_mounts(merged, host, others)
        record = ContainerRecord(
            identifier=identifier,
            name=name,
            created=self._parts.clock(),
            image=image.identifier,
            image_digest=image.target.digest,
            platform=image.os,
            configuration=merged,
            host=host,
            endpoints=_endpoints(host.network_mode, networking),
            mounts=mounts,
            intent="create" if any(mount.kind == "volume" for mount in mounts) else "keep",
            owners=maps_of(host, self._parts.owners),
        )
        await asyncio.to_thread(_check_sources, mounts)
        # What can't be translated is refused now, not at the start.
        engine_configuration(record, self._facts())
        self._root_size(host)
        return record

    def _settled_host(self, host: HostConfiguration) -> HostConfiguration:
        """With Docker's defaults, and the references that may change their meaning made fast."""
        settled = with_defaults(host, self._parts.limited_by)
        return msgspec.structs.replace(
            settled,
            network_mode=self._pinned(settled.network_mode),
            ipc_mode=self._pinned(settled.ipc_mode),
            process_mode=self._pinned(settled.process_mode),
        )

    def _pinned(self, mode: str) -> str:
        """`container:NAME` with the identifier of that container."""
        if not mode.startswith(CONTAINER_MODE):
            return mode
        return CONTAINER_MODE + self._other(mode.removeprefix(CONTAINER_MODE)).identifier

    def _other(self, reference: str) -> ManagedContainer:
        """A container that this one leans on. Raises InvalidConfiguration: clients take NotFound
        for the image's, and pull it."""
        try:
            return self._registry.find_own(reference)
        except ContainerNotFound as error:
            raise InvalidConfiguration(str(error)) from error

    def _facts(self) -> RunFacts:
        return RunFacts(cgroup_parent=self._parts.cgroup, log_path="")

    def _root_size(self, host: HostConfiguration) -> int:
        return root_size(host.storage_options, self._parts.default_root_size)

    async def _make(self, record: ContainerRecord) -> ManagedContainer:
        container = ManagedContainer(record)
        try:
            await self._registry.save(record)
            plain: ContainerConfiguration = msgspec.structs.replace(
                engine_configuration(record, self._facts()),
                mounts=(),
                root_size=self._root_size(record.host),
            )
            await self._parts.engine.create(plain, record.identifier)
            if record.intent == "create":
                await self._acquire_volumes(container)
                await self._registry.save(container.change(intent="keep"))
        except BaseException:
            await asyncio.shield(self._removal.clear(container, volumes=True))
            raise
        self._registry.add(container)
        return container

    async def _acquire_volumes(self, container: ManagedContainer) -> None:
        mounts = []
        for mount in container.record.mounts:
            if mount.kind != "volume":
                mounts.append(mount)
                continue
            definition = VolumeDefinition(
                name=mount.name,
                driver=mount.driver or LOCAL_DRIVER,
                driver_options=mount.driver_options or None,
                labels=mount.labels or None,
            )
            volume = await self._parts.volumes.acquire(container.identifier, definition)
            if volume.fresh and container.record.owners != UNMAPPED:
                os.chown(volume.path, *container.record.owners.outside(0, 0))
            if volume.fresh and mount.copies_content:
                await self._populate(container.identifier, volume.name, mount.target)
            mounts.append(msgspec.structs.replace(mount, name=volume.name))
        container.change(mounts=tuple(mounts))

    async def _populate(self, identifier: str, volume: str, target: str) -> None:
        """Give a fresh volume what the image has at the place where it will be mounted."""
        root = await self._parts.engine.root(identifier)
        source = await asyncio.to_thread(_resolved_folder, root, target)
        if source is not None:
            await self._parts.volumes.populate(volume, source)


def _endpoints(mode: str, networking: NetworkingConfiguration) -> dict[str, EndpointSettings]:
    """What was asked for on each network; that of the mode is always among them."""
    wanted = {
        BRIDGE if name == DEFAULT_MODE else name: settings or EndpointSettings()
        for name, settings in (networking.endpoints or {}).items()
    }
    if mode.startswith(CONTAINER_MODE):
        if wanted:
            raise InvalidConfiguration(
                "conflicting options: cannot attach both user-defined and non-user-defined "
                "network-modes"
            )
        return {}
    return wanted if mode in wanted else {mode: EndpointSettings(), **wanted}


def _check_sources(mounts: tuple[PlannedMount, ...]) -> None:
    for mount in mounts:
        if mount.kind == "bind" and not mount.create_source and not Path(mount.source).exists():
            raise InvalidConfiguration(
                'invalid mount config for type "bind": bind source path does not exist: '
                f"{mount.source}"
            )


def _resolved_folder(root: Path, target: str) -> Path | None:
    """The folder of a root that a path leads to with all its symlinks; None if there is none."""
    with paths.opened_folder(root) as descriptor:
        try:
            with paths.opened_in_root(descriptor, target, os.O_PATH) as found:
                if not stat.S_ISDIR(os.fstat(found).st_mode):
                    return None
                return Path(os.readlink(f"/proc/self/fd/{found}"))
        except (FileNotFoundError, NotADirectoryError):
            return None
