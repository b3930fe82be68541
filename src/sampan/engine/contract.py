"""What the users of the engine (the node agent, the command line) may ask of it.

No Kubernetes types: pods are the node agent's business. An engine owns the containers of one
node; their images come from the machine's one image store, whose client it is.

Rules that hold for every engine:

* Intent is recorded before anything is spawned; after a crash of the engine's process the next
  one finds the same containers, running or ended, with their exit codes.
* `stop`, `kill` and `remove` of a container that is already in the wanted state do nothing.
* Errors are the ones below, with messages that a user can act on.
"""

from collections.abc import AsyncIterator, Callable
from typing import Literal, Protocol

import msgspec

ContainerPhase = Literal["created", "running", "exited"]


class EngineError(Exception):
    """The base of what an engine raises: the runtime or the kernel refused."""


class ImageNotFound(EngineError):
    """No image of this name is in the store."""


class ContainerNotFound(EngineError):
    """No container of this name or identifier."""


class NameInUse(EngineError):
    """Another container has this name."""


class InvalidConfiguration(EngineError):
    """The configuration asks for what can't be done."""


class CommandNotFound(EngineError):
    """The command is not in the image, or can't be executed (`exit_code` 127 or 126)."""

    def __init__(self, message: str, exit_code: int = 127) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """`source` is a host path for `bind`; empty for `tmpfs`, whose `size` is in bytes."""

    kind: Literal["bind", "tmpfs"] = "bind"
    source: str = ""
    target: str
    read_only: bool = False
    size: int = 0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Zero means no limit. `cpu_quota` is in microseconds of CPU each 100,000 µs."""

    cpu_quota: int = 0
    cpu_shares: int = 0
    memory: int = 0
    pids: int = 0


class ContainerConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """All that makes a container; what is empty here comes from its image.

    `network_namespace` is a path to enter, or "" for a namespace of its own with loopback only,
    or "host". `cgroup_parent` is relative to each controller's root. `log_path` gets the output
    in CRI log format. `user` is `uid[:gid]` or names found in the image.
    """

    name: str
    image: str
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = {}
    working_directory: str = ""
    user: str = ""
    supplemental_groups: tuple[int, ...] = ()
    hostname: str = ""
    mounts: tuple[Mount, ...] = ()
    limits: Limits = Limits()
    cgroup_parent: str
    network_namespace: str = ""
    host_process_namespace: bool = False
    share_process_namespace_of: str = ""
    added_capabilities: tuple[str, ...] = ()
    dropped_capabilities: tuple[str, ...] = ()
    privileged: bool = False
    allow_privilege_escalation: bool = False
    read_only_root: bool = False
    seccomp_profile: str = "default"
    out_of_memory_score_adjustment: int | None = None
    terminal: bool = False
    keep_stdin_open: bool = False
    log_path: str
    stop_signal: str = ""
    labels: dict[str, str] = {}


class ContainerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where a container is in its life. Times are seconds since the epoch, 0 for "not yet".

    `exit_code` is 128+n for a death by signal n; `out_of_memory` tells that the kernel killed
    it at its memory limit.
    """

    identifier: str
    name: str
    image: str
    image_digest: str
    phase: ContainerPhase
    process: int = 0
    created: float = 0
    started: float = 0
    finished: float = 0
    exit_code: int = 0
    out_of_memory: bool = False
    message: str = ""
    log_path: str = ""
    labels: dict[str, str] = {}


class ExecSession(Protocol):
    """A command that runs inside a container; its streams are bytes as they come."""

    async def write(self, data: bytes) -> None:
        """To its standard input; raises BrokenPipeError when it no longer reads."""

    async def close_stdin(self) -> None: ...

    def output(self) -> AsyncIterator[tuple[Literal["stdout", "stderr"], bytes]]:
        """Chunks of at most 32 KiB until both streams end; the reader's pace holds the command."""

    async def resize(self, columns: int, rows: int) -> None: ...

    async def wait(self) -> int:
        """Its exit code (126 and 127 as a shell gives them)."""

    async def kill(self) -> None: ...


class ImageDescription(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the store: `digest` of its manifest, `identifier` of its configuration."""

    names: tuple[str, ...]
    digest: str
    identifier: str
    size: int
    created: float
    user: str = ""
    stop_signal: str = ""


class Engine(Protocol):
    async def image(self, reference: str) -> ImageDescription:
        """Raises ImageNotFound."""

    async def images(self) -> list[ImageDescription]: ...

    async def create(self, configuration: ContainerConfiguration) -> str:
        """The new container's identifier; its process waits to be started.

        Raises ImageNotFound, NameInUse, InvalidConfiguration, CommandNotFound.
        """

    async def start(self, identifier: str) -> None:
        """Raises ContainerNotFound, CommandNotFound."""

    async def stop(self, identifier: str, grace_seconds: float) -> None:
        """Send the stop signal, and SIGKILL when the grace is over; returns when it has ended."""

    async def kill(self, identifier: str, signal: int) -> None: ...

    async def wait(self, identifier: str) -> ContainerStatus:
        """The status once the container has ended."""

    async def remove(self, identifier: str) -> None:
        """End it if need be and take away its files; its log file stays. No error if not there."""

    async def status(self, identifier: str) -> ContainerStatus:
        """`identifier` may be a name. Raises ContainerNotFound."""

    async def containers(self) -> list[ContainerStatus]: ...

    async def execute(
        self,
        identifier: str,
        command: tuple[str, ...],
        *,
        terminal: bool = False,
        stdin: bool = False,
        environment: dict[str, str] | None = None,
    ) -> ExecSession:
        """Raises ContainerNotFound, EngineError when it isn't running."""

    async def attach(self, identifier: str) -> ExecSession:
        """The streams of the container itself; killing the session only lets go of them.

        Raises ContainerNotFound, EngineError when it isn't running.
        """

    async def usage(self, identifier: str) -> "Usage": ...

    def on_change(self, callback: Callable[[ContainerStatus], None]) -> None:
        """Call back in the event loop at each change of phase, without polling."""

    async def reopen_log(self, identifier: str) -> None: ...

    async def close(self) -> None:
        """Let go of everything; containers run on."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Since the container's start: CPU in nanoseconds; now: memory in bytes, pids."""

    cpu: int
    memory: int
    pids: int
