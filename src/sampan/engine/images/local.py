"""The image store for callers in its own process; the socket's clients see the same."""

from sampan.engine.contract import EngineError, ImageDescription
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.source import AcquiredImage
from sampan.engine.images.store import ImageStore


class LocalImages:
    """Implements ImageSource over a store that somebody else owns."""

    def __init__(self, store: ImageStore, registries: Registries | None = None) -> None:
        self._store = store
        self._registries = registries

    async def describe(self, reference: str) -> ImageDescription:
        return self._store.describe(self._store.resolve(reference))

    async def images(self) -> list[ImageDescription]:
        return self._store.images()

    async def pull(
        self, reference: str, credentials: tuple[Credentials, ...] = ()
    ) -> ImageDescription:
        if self._registries is None:
            raise EngineError("no registry can be asked here")
        manifest = await self._registries.pull_with_any(reference, credentials)
        return self._store.describe(self._store.stored(manifest))

    async def acquire(self, reference: str, owner: str, container: str) -> AcquiredImage:
        return await self._store.acquire(reference, owner, container)

    async def release(self, owner: str, container: str) -> None:
        self._store.release(owner, container)

    async def retain(self, owner: str, containers: tuple[str, ...]) -> None:
        self._store.retain(owner, containers)

    async def close(self) -> None:
        """Nothing is held here."""
