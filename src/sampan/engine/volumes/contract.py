"""What the engine's other parts and the faces may ask of volumes.

A volume is named by its name alone; anonymous ones have 64 hexadecimal digits for one. While a
container exists (running or not) it *holds* the volumes that it was created with, from `acquire`
to `release`; while it runs they are *mounted*.

Errors are those of `engine/contract.py`, with Docker's wording.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

import msgspec

from sampan.engine.containers.configuration import Document

LOCAL_DRIVER = "local"
# Docker marks volumes that nobody named by this label since API 1.42.
ANONYMOUS_LABEL = "com.docker.volume.anonymous"


class VolumeDefinition(Document, frozen=True, kw_only=True):
    """The body of `POST /volumes/create`; an empty name makes an anonymous volume.

    `driver_options` of the local driver: `type`, `device` and `o`, as mount(8) has them, for
    `type` none with `o=bind` and `type` tmpfs.
    """

    name: str = ""
    driver: str = LOCAL_DRIVER
    driver_options: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class VolumeUsage(Document, frozen=True, kw_only=True):
    """`size` in bytes (-1: unknown), `ref_count` of the containers that hold it."""

    size: int = -1
    ref_count: int = -1


class VolumeDetail(Document, frozen=True, kw_only=True):
    """What an inspection tells; `created_at` is RFC 3339."""

    omitted_when_empty: ClassVar[frozenset[str]] = frozenset(("UsageData",))
    created_at: str
    driver: str = LOCAL_DRIVER
    labels: dict[str, str] | None = None
    mountpoint: str
    name: str
    options: dict[str, str] | None = None
    scope: str = "local"
    usage_data: VolumeUsage | None = None

    @property
    def anonymous(self) -> bool:
        """Whether nobody gave it its name."""
        return ANONYMOUS_LABEL in (self.labels or {})


class PrunedVolumes(msgspec.Struct, frozen=True, kw_only=True):
    names: tuple[str, ...]
    space_reclaimed: int


class AcquiredVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that a container holds now; `fresh` when nothing was ever put into it."""

    name: str
    path: Path
    fresh: bool


class Volumes(Protocol):
    async def create(self, definition: VolumeDefinition) -> VolumeDetail:
        """A volume; that which is there already if it has the same driver and options.

        Raises InvalidConfiguration (name, options), Conflict, NotFound (the driver).
        """

    def volumes(self) -> list[VolumeDetail]:
        """All of them by name, without usage."""

    def inspect(self, name: str) -> VolumeDetail:
        """Raises NotFound."""

    async def usage(self) -> list[VolumeDetail]:
        """All of them with sizes and reference counts, for `system df`."""

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Raises NotFound (not when forced), Conflict when a container holds it."""

    async def prune(self, wanted: Callable[[VolumeDetail], bool]) -> PrunedVolumes:
        """Remove those that no container holds and that are wanted gone."""

    async def acquire(self, container: str, definition: VolumeDefinition) -> AcquiredVolume:
        """Hold a volume for a container (by its identifier), at its creation; made if need be.

        Raises as `create` does.
        """

    async def populate(self, name: str, source: Path) -> None:
        """Give a fresh volume the content, owner and mode of a folder of the container's root.

        Nothing happens when the volume isn't fresh or there is no such folder. The path must
        have been resolved within the root by the caller. Raises OSError.
        """

    async def mount(self, name: str, container: str, destination: str, *, writable: bool) -> Path:
        """Before each start: mount it if its options say so; where it is then. Raises
        EngineError when the kernel refuses."""

    async def unmount(self, name: str, container: str) -> None:
        """After each end; no error if it isn't mounted for this container."""

    async def release(self, container: str, *, remove_anonymous: bool = False) -> None:
        """The container is no more; with `remove_anonymous`, nor are the unnamed volumes that
        nobody else holds."""

    def holders(self) -> Mapping[str, tuple[str, ...]]:
        """The containers that hold each held volume."""

    async def restore(self, containers: Mapping[str, bool]) -> None:
        """At the daemon's start: the containers there are, and which of them run."""

    async def close(self) -> None: ...
