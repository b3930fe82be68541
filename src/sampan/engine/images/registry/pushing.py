"""Pushing an image: its layers side by side, then its documents."""

import asyncio

import msgspec

from sampan.engine.images.contract import LayerProgress, Progress, Pushed
from sampan.engine.images.documents import (
    DOCUMENT_LIMIT,
    LAYER_TYPE,
    Descriptor,
    decode_index,
    encode,
)
from sampan.engine.images.names import Target
from sampan.engine.images.pins import PinSet
from sampan.engine.images.reference import Reference
from sampan.engine.images.registry.blob_upload import BlobUpload
from sampan.engine.images.registry.compression import compressed_layer
from sampan.engine.images.registry.connection import RegistryConnection
from sampan.engine.images.store import ImageStore, StoredImage

_LAYERS_AT_ONCE = 5
_SHOWN = 12


class ImagePush:
    """One name to one registry. `sources` are repositories there by the blobs they have."""

    def __init__(
        self,
        store: ImageStore,
        connection: RegistryConnection,
        *,
        sources: dict[str, str],
        pins: PinSet,
        tell: Progress,
    ) -> None:
        self._store = store
        self._connection = connection
        self._sources = sources
        self._pins = pins
        self._tell = tell
        self._slots = asyncio.Semaphore(_LAYERS_AT_ONCE)

    async def push(self, reference: Reference, target: Target) -> Pushed:
        """Raises RegistryRefusal, RegistryUnreachable, InvalidImage, OSError."""
        if target.digest != target.image and self._is_whole(target.digest):
            manifests = decode_index(self._document(target.digest)).manifests
            for each in manifests:
                await self._push_manifest(self._store.stored(each.digest), each.digest)
            pushed = target
        else:
            image = await self._compressed(self._store.stored(target.image))
            await self._push_manifest(image, image.digest)
            pushed = self._store.target(image.digest)
        await self._put(pushed.digest, reference.tag, pushed.media_type)
        name = f"{reference.repository}@{pushed.digest}"
        await self._store.keep(pushed.image)
        await self._store.change_names(lambda names: names.with_digest(name, pushed))
        status = f"{reference.tag}: digest: {pushed.digest} size: {pushed.size}"
        self._tell(LayerProgress(status=status))
        return Pushed(tag=reference.tag, digest=pushed.digest, size=pushed.size)

    async def _push_manifest(self, image: StoredImage, digest: str) -> None:
        layers = list({layer.digest: layer for layer in image.manifest.layers}.values())
        for layer in layers:
            self._tell_of(layer, "Preparing")
        try:
            async with asyncio.TaskGroup() as group:
                for layer in layers:
                    group.create_task(self._push_layer(layer))
        except BaseExceptionGroup as error:
            raise error.exceptions[0] from error
        await self._upload(image.manifest.config, "")
        await self._put(digest, digest, image.manifest.media_type)

    async def _push_layer(self, layer: Descriptor) -> None:
        async with self._slots:
            done = await self._upload(layer, self._sources.get(layer.digest, ""))
        self._tell_of(layer, done)

    async def _upload(self, blob: Descriptor, source: str) -> str:
        def tell(status: str, current: int, total: int) -> None:
            self._tell_of(blob, status, current, total)

        path = self._store.blobs.path(blob.digest)
        return await BlobUpload(self._connection, blob, path, source, tell).run()

    async def _put(self, digest: str, reference: str, media_type: str) -> None:
        data = self._document(digest)
        url = self._connection.url(f"manifests/{reference}")
        headers = {"Content-Type": media_type}
        async with self._connection.request(
            "PUT", url, headers=headers, body=lambda: data, expected=(200, 201, 202)
        ):
            return

    async def _compressed(self, image: StoredImage) -> StoredImage:
        """The image as registries keep it: none of its layers plain."""
        if not _plain(image):
            return image
        for digest in sorted(self._store.same(image)):
            other = self._store.stored(digest)
            if not _plain(other):
                return other
        layers = [
            await asyncio.to_thread(compressed_layer, self._store.blobs, layer, self._pins)
            if layer.media_type == LAYER_TYPE
            else layer
            for layer in image.manifest.layers
        ]
        manifest = msgspec.structs.replace(image.manifest, layers=tuple(layers))
        data = encode(manifest)
        return self._store.stored(await asyncio.to_thread(self._added, data))

    def _added(self, data: bytes) -> str:
        digest = self._store.blobs.add(data)
        self._pins.add(digest)
        return digest

    def _is_whole(self, digest: str) -> bool:
        return all(map(self._store.blobs.has, self._store.below(digest)))

    def _document(self, digest: str) -> bytes:
        return self._store.blobs.read(digest, DOCUMENT_LIMIT)

    def _tell_of(self, layer: Descriptor, status: str, current: int = 0, total: int = 0) -> None:
        short = layer.digest.removeprefix("sha256:")[:_SHOWN]
        self._tell(LayerProgress(status=status, identifier=short, current=current, total=total))


def blob_sources(store: ImageStore, reference: Reference) -> dict[str, str]:
    """By a blob's digest, another repository of the same registry that has it, as far as this
    machine knows: images were pulled from it or pushed to it."""
    registry = reference.registry
    found: dict[str, str] = {}
    for name, target in store.names.digests.items():
        repository = name.partition("@")[0]
        if repository.startswith(f"{registry}/") and repository != reference.repository:
            for digest in store.stored(target.image).blobs:
                found.setdefault(digest, repository.removeprefix(f"{registry}/"))
    return found


def _plain(image: StoredImage) -> bool:
    return any(layer.media_type == LAYER_TYPE for layer in image.manifest.layers)
