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
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from sampan.engine.configuration import ContainerConfiguration, Limits
from sampan.engine.images.credentials import Credentials
from sampan.host.cgroup_usage import DetailedUsage
from sampan.host.identifier_map import IdentifierMap

ContainerPhase = Literal["created", "running", "exited"]


class EngineError(Exception):
    """The base of what an engine raises: the runtime or the kernel refused."""


class NotFound(EngineError):
    """What was named is not there."""


class ImageNotFound(NotFound):
    """No image of this name is in the store."""


class ContainerNotFound(NotFound):
    """No container of this name or identifier."""


class Conflict(EngineError):
    """What is asked for is at odds with the state that things are in."""


class NameInUse(Conflict):
    """Another container has this name."""


class ImageInUse(Conflict):
    """The image can't be removed: a container or another image needs it."""


class InvalidConfiguration(EngineError):
    """The configuration asks for what can't be done."""


class NotModified(EngineError):
    """Things are already as asked for: started already, stopped already."""


class Forbidden(EngineError):
    """What is asked for is never allowed here."""


class NotImplementedHere(EngineError):
    """This engine, or this host, can't do what is asked for."""


class CommandNotFound(EngineError):
    """The command is not in the image, or can't be executed (`exit_code` 127 or 126)."""

    def __init__(self, message: str, exit_code: int = 127) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ContainerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where a container is in its life. Times are seconds since the epoch, 0 for "not yet".

    `exit_code` is 128+n for a death by signal n; `out_of_memory` tells that the kernel killed
    it at its memory limit. `paused`: its processes are frozen while it is running.
    """

    identifier: str
    name: str
    image: str
    image_digest: str
    phase: ContainerPhase
    paused: bool = False
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

    @property
    def process(self) -> int:
        """Its number as this process's PID namespace numbers it; 0 when that is not known."""

    async def resize(self, columns: int, rows: int) -> None: ...

    async def wait(self) -> int:
        """Its exit code (126 and 127 as a shell gives them)."""

    async def kill(self) -> None: ...


class ExecOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a further command runs in a container; what is empty is as in the container itself."""

    terminal: bool = False
    stdin: bool = False
    environment: dict[str, str] = {}
    user: str = ""
    working_directory: str = ""
    privileged: bool = False


PLAIN_EXEC: Final = ExecOptions()


class ImageDescription(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the store: `digest` of its manifest, `identifier` of its configuration.

    One that was made on this machine and never was in a registry isn't from one.
    """

    names: tuple[str, ...]
    digest: str
    identifier: str
    size: int
    created: float
    user: str = ""
    stop_signal: str = ""
    is_from_registry: bool = False


class Engine(Protocol):
    async def image(self, reference: str) -> ImageDescription:
        """Raises ImageNotFound."""

    async def images(self) -> list[ImageDescription]: ...

    async def pull_image(
        self, reference: str, credentials: tuple[Credentials, ...] = ()
    ) -> ImageDescription:
        """Bring an image from its registry, which is told one after the other of these.

        Raises NotFound, Forbidden, EngineError.
        """

    async def create(self, configuration: ContainerConfiguration, identifier: str = "") -> str:
        """The new container's identifier; no process is there yet.

        Its record and its root are made; an `identifier` that is given (64 hexadecimal digits)
        becomes its own. Raises ImageNotFound, NameInUse, InvalidConfiguration.
        """

    async def prepare(
        self, identifier: str, configuration: ContainerConfiguration | None = None
    ) -> None:
        """Make the first process of a container that was never started, or that has ended.

        It waits to be started, and can be attached to. A container that has ended keeps its
        identifier and its root. A `configuration` takes the place of the former one; image, name
        and identifier maps stay as they are. Nothing happens when it is prepared or running.
        Raises ContainerNotFound, InvalidConfiguration, CommandNotFound, EngineError; the
        container is then as it was before.
        """

    async def start(self, identifier: str) -> None:
        """Let a container's first process go, preparing it if it was never started.

        Nothing happens when it is running or has ended (see `prepare`). Raises
        ContainerNotFound, InvalidConfiguration, CommandNotFound, EngineError.
        """

    async def stop(self, identifier: str, grace_seconds: float) -> None:
        """Send the stop signal, and SIGKILL when the grace is over; returns when it has ended."""

    async def kill(self, identifier: str, signal: int) -> None: ...

    async def pause(self, identifier: str) -> None:
        """Freeze every process of a running container. Raises EngineError."""

    async def unpause(self, identifier: str) -> None: ...

    async def update(self, identifier: str, limits: Limits) -> None:
        """Put other limits in the place of the former ones, at once when it is running.

        Raises InvalidConfiguration, EngineError; then the former ones hold.
        """

    async def root(self, identifier: str) -> Path:
        """The folder where the container's root appears, running or not; mounts it if need be.

        Paths below it come from the container: open them through `host.paths` only.
        """

    async def written(self, identifier: str) -> "Written":
        """Where what the container has written to its root lies, for a changeset."""

    async def processes(self, identifier: str) -> tuple[int, ...]:
        """All its processes, as this process's PID namespace numbers them, in order."""

    async def wait(self, identifier: str) -> ContainerStatus:
        """The status once the container has ended."""

    async def remove(self, identifier: str) -> None:
        """End it if need be and take away its files; its log file stays. No error if not there."""

    async def discard(self, identifier: str) -> None:
        """`remove`, but the files may still be going when it returns: the container is known no
        more and lets go of its image. What a crash leaves of it is a container again, ended."""

    async def status(self, identifier: str) -> ContainerStatus:
        """`identifier` may be a name. Raises ContainerNotFound."""

    async def containers(self) -> list[ContainerStatus]: ...

    async def execute(
        self,
        identifier: str,
        command: tuple[str, ...],
        options: ExecOptions = PLAIN_EXEC,
    ) -> ExecSession:
        """Raises ContainerNotFound, EngineError when it isn't running."""

    async def attach(self, identifier: str) -> ExecSession:
        """The streams of the container itself; killing the session only lets go of them.

        Raises ContainerNotFound, EngineError when it isn't running.
        """

    async def resize(self, identifier: str, columns: int, rows: int) -> None:
        """Set the size of the container's terminal; nothing happens when it doesn't run."""

    async def usage(self, identifier: str) -> "Usage": ...

    async def detailed_usage(self, identifier: str) -> DetailedUsage:
        """All that its control group counts; raises ContainerNotFound."""

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


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """An overlay file system's upper folder, and the read-only layers, the topmost first.

    The upper folder's files have the users of the outside of the maps, the layers' of the inside.
    """

    upper: Path
    layers: tuple[Path, ...]
    uid_maps: tuple[IdentifierMap, ...] = ()
    gid_maps: tuple[IdentifierMap, ...] = ()
