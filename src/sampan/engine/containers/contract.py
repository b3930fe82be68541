"""What the faces may ask of the machine's own containers.

A `reference` is a container's name, its identifier or an unambiguous prefix of that. Times are
nanoseconds since the epoch, 0 for "never". Errors are those of `engine.contract`, with the
messages that Docker's users know: `NotFound` for a reference that nothing has, `Conflict` for
what the container's state doesn't allow, `NotModified` for what is so already,
`InvalidConfiguration` for what can't be. Containers are known here by names without a slash.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from sampan.engine.containers.configuration import (
    Configuration,
    EndpointSettings,
    ExecConfiguration,
    HostConfiguration,
    MountPoint,
    NetworkingConfiguration,
    PortBinding,
    UpdateConfiguration,
)
from sampan.engine.contract import ExecSession

ContainerPhase = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
WaitCondition = Literal["not-running", "next-exit", "removed"]
HealthStatus = Literal["none", "starting", "healthy", "unhealthy"]
ChangeKind = Literal[0, 1, 2]  # modified, added, deleted: Docker's numbers
Session = ExecSession


class Created(msgspec.Struct, frozen=True):
    identifier: str
    warnings: tuple[str, ...] = ()


class WaitResult(msgspec.Struct, frozen=True):
    """`error` is not empty when the container could not be waited for."""

    exit_code: int
    error: str = ""


class HealthResult(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a health check; `output` is its first 4,096 bytes."""

    started: int
    finished: int
    exit_code: int
    output: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`log` holds the last five results, the newest last."""

    status: HealthStatus = "starting"
    failing_streak: int = 0
    log: tuple[HealthResult, ...] = ()


class ContainerState(msgspec.Struct, frozen=True, kw_only=True):
    """`phase` is Docker's `Status`; a paused container runs as well. `health` None: no check."""

    phase: ContainerPhase = "created"
    process: int = 0
    exit_code: int = 0
    error: str = ""
    out_of_memory: bool = False
    started: int = 0
    finished: int = 0
    health: Health | None = None

    @property
    def running(self) -> bool:
        return self.phase in ("running", "paused", "restarting")


class ContainerDetail(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a container.

    `image` is the identifier of its image (sha256:…), `image_digest` its manifest's;
    `configuration.image` is the name that was asked for. `networks` are its endpoints by the
    networks' names, `ports` what is published while it runs (None: exposed only). `root` is
    where its file system is mounted ("" when it isn't), `layers` its image's, `upper` what it
    wrote.
    """

    identifier: str
    name: str
    created: int
    path: str
    arguments: tuple[str, ...]
    state: ContainerState
    image: str
    image_digest: str
    platform: str
    configuration: Configuration
    host: HostConfiguration
    restart_count: int = 0
    mounts: tuple[MountPoint, ...] = ()
    networks: dict[str, EndpointSettings] = {}
    ports: dict[str, tuple[PortBinding, ...] | None] = {}
    sandbox_identifier: str = ""
    sandbox_path: str = ""
    hostname_path: str = ""
    hosts_path: str = ""
    resolv_conf_path: str = ""
    log_path: str = ""
    exec_identifiers: tuple[str, ...] = ()
    root: str = ""
    upper: str = ""
    work: str = ""
    layers: tuple[str, ...] = ()


class Sizes(msgspec.Struct, frozen=True):
    """Bytes that the container wrote, and bytes with those of its image."""

    written: int
    total: int


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`since` and `until` in nanoseconds, 0 for none; `tail` None is everything."""

    stdout: bool = True
    stderr: bool = True
    since: int = 0
    until: int = 0
    tail: int | None = None
    follow: bool = False


class LogEntry(msgspec.Struct, frozen=True):
    """A line of output with its end, or a piece of a long one without.

    `attributes` are what the log driver's options have each line tell.
    """

    stream: Literal["stdout", "stderr"]
    time: int
    data: bytes
    attributes: Mapping[str, str] = {}


class AttachOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`logs`: what was said before comes first; `stream`: then what is being said."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    logs: bool = False
    stream: bool = True


class ExecDetail(msgspec.Struct, frozen=True, kw_only=True):
    """`exit_code` is None until it has ended, `process` 0 until it runs."""

    identifier: str
    container: str
    configuration: ExecConfiguration
    running: bool = False
    exit_code: int | None = None
    process: int = 0
    can_remove: bool = False


class Top(msgspec.Struct, frozen=True):
    titles: tuple[str, ...]
    processes: tuple[tuple[str, ...], ...]


class CpuStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Nanoseconds since the start; `machine` is all that the machine's CPUs did."""

    total: int = 0
    per_cpu: tuple[int, ...] = ()
    kernel: int = 0
    user: int = 0
    machine: int = 0
    online: int = 0
    periods: int = 0
    throttled_periods: int = 0
    throttled_time: int = 0


class MemoryStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes; `details` are the lines of the kernel's memory.stat by their names."""

    usage: int = 0
    maximum: int = 0
    failures: int = 0
    limit: int = 0
    details: dict[str, int] = {}


class BlockCounter(msgspec.Struct, frozen=True):
    major: int
    minor: int
    operation: str
    value: int


class NetworkCounters(msgspec.Struct, frozen=True, kw_only=True):
    received_bytes: int = 0
    received_packets: int = 0
    received_errors: int = 0
    received_dropped: int = 0
    sent_bytes: int = 0
    sent_packets: int = 0
    sent_errors: int = 0
    sent_dropped: int = 0


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """One sample; of a container that doesn't run everything but its names is empty.

    `cgroup_version` tells whose names `memory.details` has. `block_bytes` and
    `block_operations` are counted by device and operation. `networks` are those of the
    container's own interfaces.
    """

    identifier: str
    name: str
    time: int = 0
    cgroup_version: Literal[1, 2] = 2
    cpu: CpuStatistics = CpuStatistics()
    memory: MemoryStatistics = MemoryStatistics()
    processes: int = 0
    processes_limit: int = 0
    block_bytes: tuple[BlockCounter, ...] = ()
    block_operations: tuple[BlockCounter, ...] = ()
    networks: dict[str, NetworkCounters] = {}


class Change(msgspec.Struct, frozen=True):
    path: str
    kind: ChangeKind


class PathStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`mode` has the permission bits and the type as stat(2) gives them."""

    name: str
    size: int
    mode: int
    modified: int
    link_target: str = ""


class CommitOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`changes` are Dockerfile instructions; `configuration` is put over the container's."""

    repository: str = ""
    tag: str = ""
    comment: str = ""
    author: str = ""
    pause: bool = True
    changes: tuple[str, ...] = ()
    configuration: Configuration | None = None


class Pruned(msgspec.Struct, frozen=True):
    identifiers: tuple[str, ...]
    space: int


class Containers(Protocol):
    async def create(
        self,
        name: str,
        configuration: Configuration,
        host: HostConfiguration,
        networking: NetworkingConfiguration,
        platform: str = "",
    ) -> Created:
        """A new container, not started; "" for a name makes one up.

        Raises ImageNotFound, NameInUse, InvalidConfiguration, NotFound for a network or volume.
        """

    async def start(self, reference: str) -> None:
        """Raises NotModified when it runs, CommandNotFound, Conflict."""

    async def stop(self, reference: str, grace: float | None = None, signal: str = "") -> None:
        """Ask it to end, and kill it after `grace` seconds (None: its own, -1: never).

        It is not restarted by its policy. Raises NotModified when it doesn't run.
        """

    async def restart(
        self, reference: str, grace: float | None = None, signal: str = ""
    ) -> None: ...

    async def kill(self, reference: str, signal: str = "") -> None:
        """Raises Conflict when it doesn't run."""

    async def pause(self, reference: str) -> None: ...

    async def unpause(self, reference: str) -> None: ...

    async def rename(self, reference: str, name: str) -> None:
        """Raises NameInUse, InvalidConfiguration."""

    async def update(self, reference: str, changes: UpdateConfiguration) -> tuple[str, ...]:
        """Change limits and the restart policy; gives warnings."""

    async def remove(self, reference: str, *, force: bool = False, volumes: bool = False) -> None:
        """`volumes`: its anonymous volumes as well. Raises Conflict when it runs."""

    def wait(self, reference: str, condition: WaitCondition) -> Awaitable[WaitResult]:
        """Raises NotFound at once; what comes back is to be awaited."""

    async def inspect(self, reference: str) -> ContainerDetail: ...

    async def list(self) -> Sequence[ContainerDetail]:
        """Every container, the newest first."""

    async def sizes(self, reference: str) -> Sizes: ...

    def logs(self, reference: str, options: LogOptions) -> AsyncIterator[LogEntry]:
        """Raises NotFound at once, and NotImplementedHere when it keeps no readable log.

        With `follow` it ends with the container.
        """

    async def attach(self, reference: str, options: AttachOptions) -> Session:
        """Its streams; of one not yet started those that it will have. `kill` lets go of them.

        Raises Conflict when it is paused or restarting.
        """

    async def resize(self, reference: str, columns: int, rows: int) -> None: ...

    async def connect(self, reference: str, network: str, settings: EndpointSettings) -> None:
        """Plug it into one more network, at once if it runs, and from its next start on.

        Raises NotFound, Forbidden (host and container modes, the network), Conflict.
        """

    async def disconnect(self, reference: str, network: str, *, force: bool = False) -> None:
        """Raises NotFound, Forbidden when it is not connected (unless forced)."""

    async def exec_create(self, reference: str, configuration: ExecConfiguration) -> str:
        """An identifier. Raises Conflict when the container doesn't run or is paused."""

    async def exec_start(
        self, identifier: str, *, detach: bool = False, console_size: tuple[int, int] | None = None
    ) -> Session | None:
        """Its streams, None when detached; the size is columns and rows.

        Raises NotFound, Conflict when started before.
        """

    async def exec_inspect(self, identifier: str) -> ExecDetail: ...

    async def exec_resize(self, identifier: str, columns: int, rows: int) -> None: ...

    async def top(self, reference: str, arguments: str = "-ef") -> Top:
        """What ps(1) says of its processes."""

    async def stats(self, reference: str) -> Statistics: ...

    async def changes(self, reference: str) -> Sequence[Change]: ...

    async def export(self, reference: str) -> AsyncIterator[bytes]:
        """Its whole file system as a tar archive."""

    async def stat_path(self, reference: str, path: str) -> PathStatus: ...

    async def get_archive(
        self, reference: str, path: str
    ) -> tuple[PathStatus, AsyncIterator[bytes]]:
        """A file or folder of it as a tar archive whose names begin with its last part."""

    async def put_archive(
        self,
        reference: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        keep_kinds: bool = False,
        keep_owners: bool = False,
    ) -> None:
        """Unpack a tar archive (gzip, bzip2 or xz too) in a folder of it.

        `keep_kinds`: a folder is not replaced by a file or the other way round.
        `keep_owners`: with the archive's uid and gid; else root's. Raises NotFound for the
        path, InvalidConfiguration when it is no folder, Forbidden when it is read-only.
        """

    async def commit(self, reference: str, options: CommitOptions) -> str:
        """The identifier of a new image from what it wrote."""

    async def prune(self, predicate: Callable[[ContainerDetail], bool]) -> Pruned:
        """Remove the containers that don't run and that the predicate is true of."""
