"""The image store's methods on the engine's socket."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from sampan.engine.contract import EngineError, ImageDescription
from sampan.engine.images.archive import LoadedImage, load_archive
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.local import LocalImages
from sampan.engine.images.pins import PinSet
from sampan.engine.images.reference import familiar
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.removing import ImageRemover
from sampan.engine.images.saving import SavedImage, archive_of, saved_blobs
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

    async def _tag(self, call: Call) -> None:
        wanted = call.arguments(TagArguments)
        await self._store.tag(self._store.resolve(wanted.reference).digest, wanted.name)

    async def _remove(self, call: Call) -> list[str]:
        remover = ImageRemover(self._store, _unpublished, lambda _: True)
        reference = call.arguments(ImageArguments).reference
        removed = await remover.remove(reference, force=False, prune_parents=True)
        return [each.untagged for each in removed if each.untagged]

    async def _load(self, call: Call) -> list[dict[str, str]]:
        path = Path(call.arguments(LoadArguments).path)
        loaded = []
        with self._store.pinned() as pins:
            found = await asyncio.to_thread(_load_file, self._store, path, pins)
            for each in found:
                image = self._store.stored(each.manifest)
                pins.add(*chain_identifiers(image.diff_ids))
                await self._store.unpack(image)
                if not each.name:
                    raise EngineError(f"image {image.identifier} in the archive has no name")
                await self._store.tag(each.manifest, each.name)
                loaded.append({"name": each.name, "digest": each.manifest})
                call.progress(f"Loaded {familiar(each.name)}")
        return loaded

    async def _save(self, call: Call) -> None:
        wanted = call.arguments(SaveArguments)
        images = []
        for reference in wanted.references:
            manifest, name = self._store.find(reference)
            names = (name,) if name in self._store.names.tags else ()
            images.append(SavedImage(self._store.target(manifest), names))
        with self._store.pinned() as pins:
            pins.add(*saved_blobs(self._store, images))
            await asyncio.to_thread(_write, Path(wanted.path), archive_of(self._store, images))


def _load_file(store: ImageStore, path: Path, pins: PinSet) -> list[LoadedImage]:
    with path.open("rb") as file:
        return load_archive(store, file, pins)


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)


def _unpublished(action: str, identifier: str, attributes: Mapping[str, str]) -> None:
    """These changes are not told: the socket's clients are the machine's own parts."""
