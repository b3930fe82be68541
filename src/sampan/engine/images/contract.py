"""What the engine's other parts may ask of the machine's images.

An image's *identifier* is the digest of its configuration, as `docker images` shows it; names
are given in their familiar form (`hello:latest`). A *reference* is a name, a name with a digest,
an identifier or an unambiguous start of one. Documents (`ExecutionConfiguration`, `Descriptor`)
are those of `images/documents.py`; errors those of `engine/contract.py`, with Docker's wording.

Containers hold images through `images/source.py` (acquire, release); builds and commits add
layers and images here, in one way for both.
"""

import builtins
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from sampan.engine.images.credentials import Credentials
from sampan.engine.images.documents import (
    Descriptor,
    ExecutionConfiguration,
    ImageConfiguration,
    Platform,
)
from sampan.engine.images.pins import PinSet
from sampan.host.identifier_maps import UNMAPPED, OwnerMaps

__all__ = [
    "CommitRequest",
    "Credentials",
    "Distribution",
    "HistoryEntry",
    "ImageDetail",
    "Images",
    "LayerDetail",
    "LayerProgress",
    "Loaded",
    "Progress",
    "Pruned",
    "Pushed",
    "Removed",
]


class LayerProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a pull, push or load, in the words that Docker's clients know.

    `identifier` is the start of a layer's digest, a tag, or "" when the status is of the whole;
    `total` is 0 when there is nothing to count.
    """

    status: str
    identifier: str = ""
    current: int = 0
    total: int = 0


Progress = Callable[[LayerProgress], None]


class LayerDetail(msgspec.Struct, frozen=True, kw_only=True):
    """`size` is of the files in it, unpacked; `chain` is of it and all below it."""

    diff_id: str
    chain: str
    size: int


class ImageDetail(msgspec.Struct, frozen=True, kw_only=True):
    """An image with all that `docker image inspect` tells of it.

    `layers` go from the bottom up, `folders` (where they are unpacked) from the top down.
    `target` is what its name leads to: a manifest or an index. `containers` hold leases on it.
    An intermediate one has no name and only served to make others.
    """

    identifier: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    parent: str = ""
    comment: str = ""
    author: str = ""
    created: str = ""
    tagged: float = 0
    architecture: str
    variant: str = ""
    os: str
    os_version: str = ""
    size: int
    execution: ExecutionConfiguration
    layers: tuple[LayerDetail, ...]
    folders: tuple[str, ...]
    target: Descriptor
    containers: tuple[str, ...] = ()
    is_intermediate: bool = False


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `docker history`, the newest first; `identifier` is that of the image as the
    step left it, "<missing>" where that is not known here."""

    identifier: str
    created: float
    created_by: str
    size: int
    comment: str
    tags: tuple[str, ...] = ()


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a removal took away: a name (`untagged`) or an image or layer."""

    untagged: str = ""
    deleted: str = ""


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    removed: tuple[Removed, ...]
    space: int


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is "" for an image that came without one."""

    name: str
    identifier: str


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    tag: str
    digest: str
    size: int


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry has under a name."""

    descriptor: Descriptor
    platforms: tuple[Platform, ...]


class CommitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A container that becomes an image: `upper` is what it wrote over its `base`.

    `base` is an identifier. `name` may be "". `execution` is the whole new configuration.
    `owners` are those of the user namespace in which it was written.
    """

    base: str
    upper: Path
    execution: ExecutionConfiguration
    name: str = ""
    author: str = ""
    message: str = ""
    created_by: str = ""
    owners: OwnerMaps = UNMAPPED


class Images(Protocol):
    async def list(self) -> builtins.list[ImageDetail]:
        """Every image with a name, and those that have lost theirs, in no order."""

    async def inspect(self, reference: str) -> ImageDetail:
        """Raises ImageNotFound, InvalidReference."""

    async def history(self, reference: str) -> builtins.list[HistoryEntry]:
        """Raises ImageNotFound."""

    async def pull(
        self,
        reference: str,
        *,
        platform: str = "",
        credentials: Credentials | None = None,
        progress: Progress | None = None,
        all_tags: bool = False,
    ) -> ImageDetail:
        """Bring an image (of `os/architecture[/variant]`) and unpack it; the last of several.

        Raises NotFound, Forbidden, EngineError, InvalidImage; what came is kept for the next try.
        """

    async def push(
        self,
        reference: str,
        *,
        credentials: Credentials | None = None,
        progress: Progress | None = None,
        all_tags: bool = False,
    ) -> builtins.list[Pushed]:
        """Raises NotFound (no such image or repository), Forbidden, EngineError."""

    async def distribution(
        self, reference: str, credentials: Credentials | None = None
    ) -> Distribution:
        """Raises NotFound, Forbidden, EngineError."""

    async def verify(self, credentials: Credentials) -> str:
        """Whether the registry `credentials.server` takes them; an identity token or "".

        Raises Forbidden (as `docker login` is refused), EngineError.
        """

    async def tag(self, reference: str, name: str, *, index: str = "") -> None:
        """Give an image one more name; who had it may be left without. With the digest of an
        `index` in the store, the name leads to all that this lists. Raises ImageNotFound,
        InvalidReference."""

    async def remove(
        self, reference: str, *, force: bool = False, prune_parents: bool = True
    ) -> builtins.list[Removed]:
        """Take away a name, or the image when it is the last or `reference` an identifier.

        Raises ImageNotFound, ImageInUse.
        """

    async def prune(self, is_wanted: Callable[[ImageDetail], bool]) -> Pruned:
        """Remove the images that no container holds and for which `is_wanted` is False."""

    def save(self, references: Sequence[str]) -> AsyncIterator[bytes]:
        """One tar of images, readable by docker and by OCI tools. Raises ImageNotFound when
        iterated first."""

    async def load(
        self, stream: AsyncIterator[bytes], progress: Progress | None = None
    ) -> builtins.list[Loaded]:
        """Take in what `save` or an OCI tool wrote, compressed or not. Raises InvalidImage."""

    async def import_root(
        self,
        stream: AsyncIterator[bytes],
        *,
        name: str = "",
        changes: Sequence[str] = (),
        message: str = "",
        platform: str = "",
    ) -> str:
        """An image of one layer from a tar of its root; its identifier. `changes` are
        instructions of a Dockerfile. Raises InvalidImage, InvalidConfiguration."""

    async def commit(self, request: CommitRequest) -> str:
        """The identifier of the new image. Raises ImageNotFound, InvalidImage, OSError."""

    def changed(
        self, execution: ExecutionConfiguration, changes: Sequence[str]
    ) -> ExecutionConfiguration:
        """Instructions of a Dockerfile (`CMD …`, `ENV …`) applied. Raises InvalidConfiguration."""

    def pinned(self) -> AbstractContextManager[PinSet]:
        """For builds: what is added in the block is kept at least until its end."""

    async def add_layer(self, upper: Path, pins: PinSet, latest: int | None = None) -> Descriptor:
        """Make a blob (a plain tar, so its digest is its diff_id) of what was written to an
        overlay's upper folder; no time in it is later than `latest` (seconds).

        Raises InvalidImage for what an image can't hold, OSError.
        """

    async def add_image(
        self,
        configuration: ImageConfiguration,
        layers: Sequence[Descriptor],
        pins: PinSet,
        *,
        parent: str = "",
    ) -> str:
        """Keep an image, at first without a name; its identifier."""

    def know_running(self, is_running: Callable[[str], bool]) -> None:
        """Tell how to find out whether the container of a lease runs: removing an image by
        force is refused only then."""
