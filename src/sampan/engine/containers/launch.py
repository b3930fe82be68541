"""One run of a container: volumes mounted, network attached, process made and let go; and undone.

When a run may begin, and what follows its end, is not decided here.
"""

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path

from sampan.engine.containers import attaching, network_files
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.log_keeping import LogKeeping
from sampan.engine.containers.mount_plan import PlannedMount
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.registry import Registry
from sampan.engine.containers.translation import RunFacts, engine_configuration
from sampan.engine.contract import Conflict, InvalidConfiguration
from sampan.engine.networks.contract import (
    CONTAINER_MODE,
    AttachmentRequest,
    ContainerIdentity,
    Link,
    Sandbox,
)
from sampan.host.identifier_maps import UNMAPPED

RATE_IN_LABEL = "sampan.network.rate.in"
RATE_OUT_LABEL = "sampan.network.rate.out"


class Launch:
    def __init__(self, parts: Parts, registry: Registry, logs: LogKeeping) -> None:
        self._parts = parts
        self._registry = registry
        self._logs = logs

    async def run(self, container: ManagedContainer) -> None:
        """Start the container's process. After an error nothing of the run is left.

        Raises EngineError, OSError.
        """
        engine = self._parts.engine
        try:
            with ExitStack() as opened:
                facts = await self._facts(container, opened)
                wanted = engine_configuration(container.record, facts)
                await engine.prepare(container.identifier, wanted)
            await self._size_terminal(container)
            await attaching.connect_waiting(container, engine.attach)
            await engine.start(container.identifier)
        except BaseException:
            attaching.give_up_waiting(container)
            await asyncio.shield(self._undo(container))
            raise

    async def _size_terminal(self, container: ManagedContainer) -> None:
        rows, columns = container.record.host.console_size
        if container.record.configuration.terminal and rows and columns:
            await self._parts.engine.resize(container.identifier, columns, rows)

    async def release(self, container: ManagedContainer) -> None:
        """Give back what the run had. Raises EngineError."""
        network_files.keep(container, self._parts)
        await self._parts.networks.release(container.identifier)
        for mount in container.record.mounts:
            if mount.kind == "volume":
                await self._parts.volumes.unmount(mount.name, container.identifier)

    async def _undo(self, container: ManagedContainer) -> None:
        await self._parts.engine.stop(container.identifier, 0)
        await self.release(container)

    async def _facts(self, container: ManagedContainer, opened: ExitStack) -> RunFacts:
        record = container.record
        sources = {
            mount.target: await self._source(container, mount, opened) for mount in record.mounts
        }
        sandbox = await self._parts.networks.attach(self._attachment(container))
        if record.owners != UNMAPPED:
            for path in network_files.of_sandbox(sandbox).values():
                os.chown(path, *record.owners.outside(0, 0))
        return RunFacts(
            cgroup_parent=self._parts.cgroup,
            log_path=await self._logs.settle(container),
            network_namespace=sandbox.namespace,
            hostname=self._hostname(container),
            sources=sources,
            processes_of=self._shared(record.host.process_mode),
            ipc_of=self._shared_ipc(record.host.ipc_mode),
            **self._files(record.mounts, sandbox),
        )

    @staticmethod
    def _files(mounts: tuple[PlannedMount, ...], sandbox: Sandbox) -> dict[str, str]:
        """The network's files, but where the user mounts his own over them."""
        own = {mount.target for mount in mounts}
        names = {
            network_files.HOSTS: "hosts_path",
            network_files.RESOLVER: "resolver_path",
            network_files.HOSTNAME: "hostname_path",
        }
        files = network_files.of_sandbox(sandbox)
        return {names[target]: path for target, path in files.items() if target not in own}

    async def _source(
        self, container: ManagedContainer, mount: PlannedMount, opened: ExitStack
    ) -> str:
        if mount.kind == "tmpfs":
            return ""
        if mount.kind == "bind":
            return await asyncio.to_thread(_bind_source, mount)
        path = await self._parts.volumes.mount(
            mount.name, container.identifier, mount.target, writable=mount.writable
        )
        if not mount.subpath:
            return str(path)
        part = self._parts.volume_parts.mounted(path, mount.subpath)
        return str(await asyncio.to_thread(opened.enter_context, part))

    def _attachment(self, container: ManagedContainer) -> AttachmentRequest:
        record, host = container.record, container.record.host
        if host.network_mode.startswith(CONTAINER_MODE):
            self._running(host.network_mode.removeprefix(CONTAINER_MODE), "network namespace")
        labels = record.configuration.labels or {}
        return AttachmentRequest(
            identity=self.identity(container),
            mode="none" if record.configuration.network_disabled else host.network_mode,
            endpoints=record.endpoints,
            mac_address=record.configuration.mac_address,
            exposed_ports=tuple(record.configuration.exposed_ports or ()),
            port_bindings=host.port_bindings or {},
            publish_all_ports=host.publish_all_ports,
            dns=host.dns or (),
            dns_search=host.dns_search or (),
            dns_options=host.dns_options or (),
            extra_hosts=host.extra_hosts or (),
            links=tuple(self._link(link) for link in host.links or ()),
            rate_in=labels.get(RATE_IN_LABEL, ""),
            rate_out=labels.get(RATE_OUT_LABEL, ""),
        )

    @staticmethod
    def identity(container: ManagedContainer) -> ContainerIdentity:
        """Who the container is to networks."""
        configuration = container.record.configuration
        return ContainerIdentity(
            identifier=container.identifier,
            name=container.record.name,
            hostname=configuration.hostname,
            domain_name=configuration.domain_name,
        )

    def _link(self, link: str) -> Link:
        name, _, alias = link.partition(":")
        other = self._registry.find(name)
        if not other.running:
            raise Conflict(
                f"Cannot link to a non running container: /{other.record.name} AS {alias}"
            )
        return Link(identifier=other.identifier, alias=alias or other.record.name)

    def _hostname(self, container: ManagedContainer) -> str:
        mode = container.record.host.network_mode
        if mode.startswith(CONTAINER_MODE):
            other = self._registry.find(mode.removeprefix(CONTAINER_MODE))
            return other.record.configuration.hostname
        return container.record.configuration.hostname

    def _shared(self, mode: str) -> str:
        if not mode.startswith(CONTAINER_MODE):
            return ""
        return self._running(mode.removeprefix(CONTAINER_MODE), "PID namespace").identifier

    def _shared_ipc(self, mode: str) -> str:
        if not mode.startswith(CONTAINER_MODE):
            return ""
        other = self._running(mode.removeprefix(CONTAINER_MODE), "IPC namespace")
        if other.record.host.ipc_mode not in ("shareable", "host"):
            raise InvalidConfiguration(
                f"can't join IPC of container {other.identifier}: "
                'non-shareable IPC (hint: use IpcMode "shareable" for the donor container)'
            )
        return other.identifier

    def _running(self, reference: str, what: str) -> ManagedContainer:
        other = self._registry.find(reference)
        if not other.running:
            raise Conflict(
                f"cannot join {what} of a non running container: container "
                f"{other.record.name} is not running"
            )
        return other


def _bind_source(mount: PlannedMount) -> str:
    source = Path(mount.source)
    if mount.create_source:
        source.mkdir(parents=True, exist_ok=True, mode=0o755) if not source.exists() else None
    elif not source.exists():
        raise InvalidConfiguration(
            f'invalid mount config for type "bind": bind source path does not exist: {mount.source}'
        )
    return mount.source
