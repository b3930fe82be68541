"""What the engine's faces may ask of builds.

A build takes a request and a context and gives an image in the machine's store. What happens
meanwhile is told as events, each of one step; `classic_progress` turns them into the lines that
Docker's classic builder prints, other faces draw them their own way. Errors are `BuildFailed`,
in Docker's words, and those of `engine/contract.py`.

Builds don't know sessions, sockets or encodings: what only the client has (secrets, keys of an
SSH agent, credentials) is asked through `ClientSources`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from sampan.engine.build.cache_place import CachePlace
from sampan.engine.build.outputs import Output, StoreOutput
from sampan.engine.configuration import Limits, ResourceLimit
from sampan.engine.images.contract import Credentials, LayerProgress
from sampan.engine.images.documents import Descriptor


class FolderContext(msgspec.Struct, frozen=True):
    """A folder of this machine."""

    path: Path


class ArchiveContext(msgspec.Struct, frozen=True):
    """A tar stream: plain, or compressed by gzip, bzip2, xz or zstd."""

    stream: AsyncIterator[bytes]


class RemoteContext(msgspec.Struct, frozen=True):
    """The URL of a Dockerfile, of an archive, or of a git repository (`URL#REF:FOLDER`)."""

    url: str


class EmptyContext(msgspec.Struct, frozen=True):
    """Nothing but the request's `dockerfile_content`."""


Context = FolderContext | ArchiveContext | RemoteContext | EmptyContext


class StepResources(msgspec.Struct, frozen=True, kw_only=True):
    """What each RUN step may use; `shared_memory` is the size of /dev/shm, 0 for the usual."""

    limits: Limits = Limits()
    resource_limits: tuple[ResourceLimit, ...] = ()
    shared_memory: int = 0


class ClientSources(Protocol):
    """What a build asks of the client that wants it."""

    async def credentials(self, registry: str) -> Credentials | None:
        """For pulling from this registry (`docker.io`, `host:5000`); None for none."""

    async def secret(self, identifier: str) -> bytes | None:
        """The secret that `RUN --mount=type=secret` names; None when the client has none."""

    def ssh_agent(self, identifier: str) -> AbstractAsyncContextManager[Path | None]:
        """The Unix socket of an agent for `RUN --mount=type=ssh`, for the time of the block."""

    def cache_place(self, identifier: str, digest: str) -> CachePlace:
        """A folder of the client's where a cache is kept; `digest` is of what leads to it."""


class CacheLocation(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cache is brought from or taken to: a name in a `registry`, or a folder of the
    `client`'s, by the client's own identifier, and the `digest` of what to bring from there.

    With the mode `min`, only the layers of the resulting images are taken.
    """

    kind: Literal["registry", "client"]
    place: str
    digest: str = ""
    mode: Literal["min", "max"] = "min"
    ignores_errors: bool = False


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be built, and how.

    `dockerfile` is a path in the context; `dockerfile_content` is one that comes apart from it.
    A build argument that is None has been named without a value. `network` is `default`,
    `none`, `host`, the name of a network or `container:NAME`. `extra_hosts` are `name:address`.
    `cache_from` are names of images; `history` is how steps are told in the image's history.
    Several `platforms` make one image each, under one index; none is the machine's own.
    With `has_inline_cache` the image itself tells later builds which step each layer is of.
    `annotations` are of the manifests, `index_annotations` of the index. `named_contexts` are
    folders and `named_images` images that stand in for stages and bases of these names.
    With `allows_host_network` a RUN may ask for the network of the machine.
    """

    dockerfile: str = ""
    dockerfile_content: bytes | None = None
    outputs: tuple[Output, ...] = (StoreOutput(),)
    annotations: dict[str, str] = {}
    index_annotations: dict[str, str] = {}
    target: str = ""
    build_arguments: dict[str, str | None] = {}
    labels: dict[str, str] = {}
    platforms: tuple[str, ...] = ()
    network: str = "default"
    extra_hosts: tuple[str, ...] = ()
    resources: StepResources = StepResources()
    cgroup_parent: str = ""
    pull: bool = False
    use_cache: bool = True
    uncached_stages: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_imports: tuple[CacheLocation, ...] = ()
    cache_exports: tuple[CacheLocation, ...] = ()
    has_inline_cache: bool = False
    history: Literal["classic", "buildkit"] = "classic"
    named_contexts: dict[str, Context] = {}
    named_images: dict[str, str] = {}
    allows_host_network: bool = False


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction of a stage that is built; `number` counts from 1 over all of them.

    `stage` is its name or number, `text` the instruction as written, `inputs` the numbers of the
    steps that it builds upon. `place` counts, within the stage, the steps that may leave files,
    of which there are `places`; `has_siblings` tells that other stages are built, too.
    `platform` is "" unless the build is for several.
    """

    number: int
    total: int
    stage: str
    place: int = 0
    places: int = 0
    has_siblings: bool = False
    platform: str = ""
    line: int
    text: str
    name: str
    inputs: tuple[int, ...] = ()


class StepStarted(msgspec.Struct, frozen=True):
    step: Step


class StepContainer(msgspec.Struct, frozen=True):
    """The container of an instruction begins: of a RUN, or, in name alone, of another."""

    step: Step
    container: str


class StepContainerRemoved(msgspec.Struct, frozen=True):
    step: Step
    container: str
    has_failed: bool


class InstructionEnded(msgspec.Struct, frozen=True):
    """One instruction of a step is done: its own, or a trigger of ONBUILD."""

    step: Step
    is_cached: bool


class StepOutput(msgspec.Struct, frozen=True):
    """What a RUN step says."""

    step: Step
    data: bytes
    is_error_output: bool = False


class StepPulling(msgspec.Struct, frozen=True):
    step: Step
    progress: LayerProgress


class StepEnded(msgspec.Struct, frozen=True, kw_only=True):
    """`identifier` is that of an image as the step left it, "" for an empty one or a failure.

    `has_image` is False for an argument before the first stage; with `ends_stage` the image is
    that of the stage.
    """

    step: Step
    identifier: str = ""
    is_cached: bool = False
    error: str = ""
    has_image: bool = True
    ends_stage: bool = False


class DockerfileWarnings(msgspec.Struct, frozen=True):
    """What is read, but will not be for ever."""

    texts: tuple[str, ...]


class BuildWarning(msgspec.Struct, frozen=True):
    text: str
    line: int = 0


class BuildTagged(msgspec.Struct, frozen=True):
    name: str


class BuildEnded(msgspec.Struct, frozen=True):
    """The image is in the store; its names come after this."""

    identifier: str


class TaskTold(msgspec.Struct, frozen=True):
    """What a build does besides its steps, `name`, and how far it has got, `status`."""

    name: str
    status: str = ""


class TaskEnded(msgspec.Struct, frozen=True):
    name: str
    error: str = ""


BuildEvent = (
    StepStarted
    | StepContainer
    | StepContainerRemoved
    | StepOutput
    | StepPulling
    | InstructionEnded
    | StepEnded
    | DockerfileWarnings
    | BuildWarning
    | BuildEnded
    | BuildTagged
    | TaskTold
    | TaskEnded
)
BuildProgress = Callable[[BuildEvent], None]


class ClassicText(msgspec.Struct, frozen=True):
    """A piece of what the classic builder prints, newlines included; `{"stream": …}`."""

    text: str
    is_error_output: bool = False


class ClassicImage(msgspec.Struct, frozen=True):
    """An image's identifier, which clients read (`{"aux": {"ID": …}}`)."""

    identifier: str


ClassicMessage = ClassicText | ClassicImage | LayerProgress


class CacheRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Something that builds keep for later ones; times are seconds since the epoch."""

    identifier: str
    parents: tuple[str, ...] = ()
    kind: Literal["regular", "exec.cachemount", "source.local"]
    description: str
    is_in_use: bool = False
    is_shared: bool = False
    size: int
    created: float
    last_used: float
    uses: int


class CachePruned(msgspec.Struct, frozen=True):
    """`space` is that of the records, as Docker counts it: what an image shares stays with it."""

    identifiers: tuple[str, ...]
    space: int


class BuildResult(msgspec.Struct, frozen=True, kw_only=True):
    """`identifier` is that of the image, the machine's own where there are several, "" when no
    image was wanted; `image` is its manifest, or the index of several, `cache` the manifest of a
    cache that was taken elsewhere."""

    identifier: str = ""
    names: tuple[str, ...] = ()
    image: Descriptor | None = None
    cache: Descriptor | None = None


class Builds(Protocol):
    async def build(
        self,
        request: BuildRequest,
        context: Context,
        progress: BuildProgress,
        sources: ClientSources | None = None,
    ) -> BuildResult:
        """Build, and bring the result where it is wanted. Cancelling the task ends it.

        Raises BuildFailed (a Dockerfile or step that can't be done), InvalidConfiguration (a
        request that can't), NotFound, EngineError.
        """

    async def cache_usage(self) -> list[CacheRecord]: ...

    async def prune_cache(
        self,
        *,
        is_wanted: Callable[[CacheRecord], bool] = lambda _: False,
        keep_bytes: int = 0,
    ) -> CachePruned:
        """Remove the records that are neither wanted nor in use, the least recently used first,
        until no more than `keep_bytes` are left."""
