"""What a container engine asks of the machine's image store, in its process or through a socket."""

from typing import Protocol

import msgspec

from sampan.engine.contract import ImageDescription
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.documents import ExecutionConfiguration


class AcquiredImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image ready to run: its unpacked layers as folders, the topmost first."""

    description: ImageDescription
    execution: ExecutionConfiguration
    layers: tuple[str, ...]


class ImageSource(Protocol):
    """The image store as its clients see it.

    A lease is held by an owner (a node's engine) for one of its containers. While any lease
    is held on an image, it is not removed.
    """

    async def describe(self, reference: str) -> ImageDescription:
        """Raises ImageNotFound, InvalidReference."""

    async def images(self) -> list[ImageDescription]: ...

    async def pull(
        self, reference: str, credentials: tuple[Credentials, ...] = ()
    ) -> ImageDescription:
        """Bring an image from its registry, which is told one after the other of these, or
        what the machine's own file of credentials knows. Raises NotFound, EngineError."""

    async def acquire(self, reference: str, owner: str, container: str) -> AcquiredImage:
        """Take a lease, which outlives both processes. Raises ImageNotFound."""

    async def release(self, owner: str, container: str) -> None:
        """Give a lease back; no error if there is none."""

    async def retain(self, owner: str, containers: tuple[str, ...]) -> None:
        """Give back every lease of this owner but those of the containers named."""

    async def close(self) -> None: ...
