"""The image store's methods on the engine's socket."""

import msgspec

from sampan.engine.contract import ImageDescription
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.local import LocalImages
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.source import AcquiredImage
from sampan.engine.images.store import ImageStore
from sampan.engine.service.server import Call, Handler


class ImageArguments(msgspec.Struct, frozen=True):
    reference: str


class PullArguments(msgspec.Struct, frozen=True):
    reference: str
    credentials: tuple[Credentials, ...] = ()


class LeaseArguments(msgspec.Struct, frozen=True):
    owner: str
    container: str
    reference: str = ""


class RetainArguments(msgspec.Struct, frozen=True):
    owner: str
    containers: tuple[str, ...]


class ImageService:
    def __init__(self, store: ImageStore, registries: Registries) -> None:
        self._store = store
        self._local = LocalImages(store, registries)

    def handlers(self) -> dict[str, Handler]:
        return {
            "images.describe": self._describe,
            "images.list": self._list,
            "images.pull": self._pull,
            "images.acquire": self._acquire,
            "images.release": self._release,
            "images.retain": self._retain,
        }

    async def _describe(self, call: Call) -> ImageDescription:
        reference = call.arguments(ImageArguments).reference
        return self._store.describe(self._store.resolve(reference))

    async def _list(self, call: Call) -> list[ImageDescription]:
        return self._store.images()

    async def _pull(self, call: Call) -> ImageDescription:
        wanted = call.arguments(PullArguments)
        return await self._local.pull(wanted.reference, wanted.credentials)

    async def _acquire(self, call: Call) -> AcquiredImage:
        wanted = call.arguments(LeaseArguments)
        return await self._store.acquire(wanted.reference, wanted.owner, wanted.container)

    async def _release(self, call: Call) -> None:
        lease = call.arguments(LeaseArguments)
        self._store.release(lease.owner, lease.container)

    async def _retain(self, call: Call) -> None:
        kept = call.arguments(RetainArguments)
        self._store.retain(kept.owner, kept.containers)
