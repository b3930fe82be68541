"""The image store's methods on the engine's socket."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from sampan.engine.contract import EngineError, ImageDescription
from sampan.engine.images.archive import load_archive, save_archive
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.reference import familiar, parse_reference
from sampan.engine.images.source import AcquiredImage
from sampan.engine.images.store import ImageStore
from sampan.engine.service.server import Call, Handler


class ImageArguments(msgspec.Struct, frozen=True):
    reference: str


class LeaseArguments(msgspec.Struct, frozen=True):
    owner: str
    container: str
    reference: str = ""


class RetainArguments(msgspec.Struct, frozen=True):
    owner: str
    containers: tuple[str, ...]


class TagArguments(msgspec.Struct, frozen=True):
    reference: str
    name: str


class LoadArguments(msgspec.Struct, frozen=True):
    """`path` is an archive on this machine."""

    path: str


class SaveArguments(msgspec.Struct, frozen=True):
    references: tuple[str, ...]
    path: str


class ImageService:
    def __init__(self, store: ImageStore) -> None:
        self._store = store

    def handlers(self) -> dict[str, Handler]:
        return {
            "images.describe": self._describe,
            "images.list": self._list,
            "images.acquire": self._acquire,
            "images.release": self._release,
            "images.retain": self._retain,
            "images.tag": self._tag,
            "images.remove": self._remove,
            "images.load": self._load,
            "images.save": self._save,
        }

    async def _describe(self, call: Call) -> ImageDescription:
        reference = call.arguments(ImageArguments).reference
        return self._store.describe(self._store.resolve(reference))

    async def _list(self, call: Call) -> list[ImageDescription]:
        return self._store.images()

    async def _acquire(self, call: Call) -> AcquiredImage:
        wanted = call.arguments(LeaseArguments)
        return await self._store.acquire(wanted.reference, wanted.owner, wanted.container)

    async def _release(self, call: Call) -> None:
        lease = call.arguments(LeaseArguments)
        self._store.release(lease.owner, lease.container)

    async def _retain(self, call: Call) -> None:
        kept = call.arguments(RetainArguments)
        self._store.retain(kept.owner, kept.containers)

    async def _tag(self, call: Call) -> None:
        wanted = call.arguments(TagArguments)
        await self._store.tag(self._store.resolve(wanted.reference).digest, wanted.name)

    async def _remove(self, call: Call) -> list[str]:
        return await self._store.remove(call.arguments(ImageArguments).reference)

    async def _load(self, call: Call) -> list[dict[str, str]]:
        path = Path(call.arguments(LoadArguments).path)
        loaded = []
        with self._store.pinned() as pins:
            found = await asyncio.to_thread(load_archive, self._store, path, pins)
            for name, digest in found:
                image = self._store.stored(digest)
                pins.add(*chain_identifiers(image.diff_ids))
                await self._store.unpack(image)
                if not name:
                    raise EngineError(
                        f"image {image.manifest.config.digest} in the archive has no name"
                    )
                await self._store.tag(digest, name)
                loaded.append({"name": name, "digest": digest})
                call.progress(f"Loaded {familiar(name)}")
        return loaded

    async def _save(self, call: Call) -> Any:
        wanted = call.arguments(SaveArguments)
        images = {
            parse_reference(reference).tagged: self._store.resolve(reference)
            for reference in wanted.references
        }
        with self._store.pinned() as pins:
            for image in images.values():
                pins.add(image.digest, image.manifest.config.digest, *image.blobs)
            await asyncio.to_thread(save_archive, self._store, images, Path(wanted.path))
