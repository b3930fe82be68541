"""Containers that another engine of this machine keeps, shown among the machine's own.

They are found, looked at, entered, stopped and killed as all others; what they are, and when
they run, is their keeper's to decide. Nothing of them is written down here.
"""

from pathlib import Path

from sampan.engine.configuration import ContainerConfiguration, Mount
from sampan.engine.containers.configuration import (
    Configuration,
    HostConfiguration,
    LogConfiguration,
    RestartPolicy,
)
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import ContainerPhase
from sampan.engine.containers.host_defaults import DEFAULT_RUNTIME
from sampan.engine.containers.mount_plan import PlannedMount
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.record import ContainerRecord, RecordedEnd
from sampan.engine.containers.registry import Registry
from sampan.engine.contract import ImageNotFound, InvalidConfiguration
from sampan.engine.images.reference import InvalidReference
from sampan.engine.runtime import record as runtime_record
from sampan.engine.runtime.specification import arguments

LOG_KIND = "k8s-file"
_NANOSECONDS = 1_000_000_000


class KeptElsewhere:
    """Implements what peers show their containers on."""

    def __init__(self, parts: Parts, registry: Registry) -> None:
        self._parts = parts
        self._registry = registry

    async def show(
        self, keeper: str, record: runtime_record.ContainerRecord, process: int, *, is_news: bool
    ) -> None:
        image = await self._image(record)
        shown = shown_record(record, image, self._parts.platform.partition("/")[0])
        container = self._registry.get(record.identifier)
        if container is None:
            log = record.configuration.log_path
            container = ManagedContainer(shown, keeper=keeper, log=Path(log) if log else None)
            self._registry.add(container)
            self._become(container, shown, record, process, before=None, is_news=is_news)
            return
        # Whoever pauses it from here tells of that itself.
        async with container.lock:
            before = container.phase
            self._become(container, shown, record, process, before=before, is_news=is_news)

    def _become(
        self,
        container: ManagedContainer,
        shown: ContainerRecord,
        record: runtime_record.ContainerRecord,
        process: int,
        *,
        before: ContainerPhase | None,
        is_news: bool,
    ) -> None:
        container.record = shown
        _follow(container, record, process)
        if is_news:
            self._tell(container, record, before)
        if before in ("running", "paused") and not container.running:
            container.tell_end()

    def hide(self, identifier: str, *, is_news: bool) -> None:
        container = self._registry.get(identifier)
        if container is None:
            return
        self._registry.discard(container)
        container.ended.set()
        container.tell_removal()
        if is_news:
            self._registry.publish(container, "destroy")

    async def _image(self, record: runtime_record.ContainerRecord) -> str:
        """The identifier of its image; the manifest's where that has lost its last name."""
        try:
            return (await self._parts.images.inspect(record.image_digest)).identifier
        except (ImageNotFound, InvalidReference):
            return record.image_digest

    def _tell(
        self,
        container: ManagedContainer,
        record: runtime_record.ContainerRecord,
        before: ContainerPhase | None,
    ) -> None:
        """The events of a change, as Docker has them."""
        if before is None:
            self._registry.publish(container, "create")
        if before in ("paused", "running"):
            self._tell_of_running(container, record, before)
        elif container.phase == "running":
            self._registry.publish(container, "start")

    def _tell_of_running(
        self,
        container: ManagedContainer,
        record: runtime_record.ContainerRecord,
        before: ContainerPhase,
    ) -> None:
        if container.running:
            if container.phase != before:
                self._registry.publish(container, "pause" if container.paused else "unpause")
            return
        if record.out_of_memory:
            self._registry.publish(container, "oom")
        seconds = str(int(max(0.0, record.finished - record.started)))
        self._registry.publish(
            container, "die", exitCode=str(record.exit_code), execDuration=seconds
        )


def shown_record(
    record: runtime_record.ContainerRecord, image: str, platform: str
) -> ContainerRecord:
    """A container in Docker's terms. Pure."""
    configuration = record.configuration
    ended = record.phase == "exited"
    return ContainerRecord(
        identifier=record.identifier,
        name=configuration.name,
        created=_nanoseconds(record.created),
        image=image,
        image_digest=record.image_digest,
        platform=platform,
        configuration=_configuration(record),
        host=_host(configuration),
        mounts=tuple(_mount(mount) for mount in configuration.mounts),
        end=RecordedEnd(
            exit_code=record.exit_code,
            error=record.message,
            out_of_memory=record.out_of_memory,
            started=_nanoseconds(record.started) if ended else 0,
            finished=_nanoseconds(record.finished) if ended else 0,
        ),
    )


def _follow(
    container: ManagedContainer, record: runtime_record.ContainerRecord, process: int
) -> None:
    container.running = record.phase == "running"
    container.paused = record.paused and container.running
    container.process = process
    container.started = _nanoseconds(record.started)
    if container.running:
        container.ended.clear()
    else:
        container.ended.set()


def _configuration(record: runtime_record.ContainerRecord) -> Configuration:
    own, image = record.configuration, record.execution
    variables = dict(entry.partition("=")[::2] for entry in image.env or ())
    variables |= own.environment
    return Configuration(
        hostname=own.hostname,
        domain_name=own.domain_name,
        user=own.user or image.user,
        terminal=own.terminal,
        open_stdin=own.keep_stdin_open,
        environment=tuple(f"{name}={value}" for name, value in variables.items()),
        command=_words(record),
        image=own.image,
        working_directory=own.working_directory or image.working_dir,
        labels={**(image.labels or {}), **own.labels},
        stop_signal=record.stop_signal,
        exposed_ports=image.exposed_ports,
    )


def _words(record: runtime_record.ContainerRecord) -> tuple[str, ...]:
    try:
        return arguments(record.configuration, record.execution)
    except InvalidConfiguration:
        # It can't be started, and is shown until its keeper takes it away.
        return ("",)


def _host(own: ContainerConfiguration) -> HostConfiguration:
    limits = own.limits
    return HostConfiguration(
        network_mode="host" if own.network_namespace == "host" else "none",
        process_mode="host" if own.host_process_namespace else "",
        uts_mode="host" if own.host_uts_namespace else "",
        ipc_mode=own.ipc_mode,
        cgroup_namespace_mode="host" if own.host_cgroup_namespace else "private",
        cgroup_parent=own.cgroup_parent,
        log_configuration=LogConfiguration(kind=LOG_KIND, configuration={}),
        restart_policy=RestartPolicy(name="no"),
        runtime=DEFAULT_RUNTIME,
        binds=tuple(
            f"{mount.source}:{mount.target}{':ro' if mount.read_only else ''}"
            for mount in own.mounts
            if mount.kind == "bind"
        ),
        privileged=own.privileged,
        capabilities_added=own.added_capabilities or None,
        capabilities_dropped=own.dropped_capabilities or None,
        groups_added=tuple(str(group) for group in own.supplemental_groups) or None,
        read_only_root=own.read_only_root,
        shared_memory_size=own.shared_memory_size,
        out_of_memory_score_adjustment=own.out_of_memory_score_adjustment or 0,
        sysctls=own.sysctls or None,
        cpu_shares=limits.cpu_shares,
        cpu_quota=limits.cpu_quota,
        cpu_period=limits.cpu_period if limits.cpu_quota else 0,
        cpu_set_cpus=limits.processors,
        cpu_set_memory_nodes=limits.memory_nodes,
        memory=limits.memory,
        memory_swap=limits.memory_and_swap,
        memory_reservation=limits.memory_reservation,
        processes_limit=limits.pids or None,
        masked_paths=own.masked_paths,
        read_only_paths=own.read_only_paths,
    )


def _mount(mount: Mount) -> PlannedMount:
    return PlannedMount(
        kind=mount.kind,
        source=mount.source,
        target=mount.target,
        writable=not mount.read_only,
        propagation=mount.propagation if mount.kind == "bind" else None,
        listed=mount.kind == "bind",
    )


def _nanoseconds(seconds: float) -> int:
    return int(seconds * _NANOSECONDS)
