"""Pulling an image: its documents first, then its layers side by side, each unpacked in turn."""

import asyncio
from collections.abc import Callable

from sampan.engine.contract import NotFound
from sampan.engine.images.contract import LayerProgress, Progress
from sampan.engine.images.documents import (
    DOCUMENT_LIMIT,
    INDEX_TYPES,
    Descriptor,
    InvalidImage,
    Manifest,
    Platform,
    decode_configuration,
    decode_index,
    decode_manifest,
)
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.names import Target
from sampan.engine.images.pins import PinSet
from sampan.engine.images.platforms import chosen_of, platform_text
from sampan.engine.images.reference import Reference, familiar
from sampan.engine.images.registry.blob_download import BlobDownloads
from sampan.engine.images.registry.connection import RegistryConnection
from sampan.engine.images.registry.manifests import FetchedDocument, fetch_document
from sampan.engine.images.store import ImageStore

_LAYERS_AT_ONCE = 3
_NESTED_INDEXES = 3
_SHOWN = 12
_STEPS = 100
_SMALLEST_STEP = 1 << 19


class ImagePull:
    """One image from one registry; `moment` is now, in seconds since the epoch."""

    def __init__(
        self,
        store: ImageStore,
        downloads: BlobDownloads,
        connection: RegistryConnection,
        *,
        pins: PinSet,
        tell: Progress,
        moment: float,
    ) -> None:
        self._store = store
        self._downloads = downloads
        self._connection = connection
        self._pins = pins
        self._tell = tell
        self._moment = moment
        self._slots = asyncio.Semaphore(_LAYERS_AT_ONCE)

    async def pull(self, reference: Reference, platform: Platform) -> str:
        """Bring and unpack it and give it its names; the digest of its manifest.

        Raises NotFound, InvalidImage, RegistryRefusal, RegistryUnreachable, OSError.
        """
        wanted = reference.digest or reference.tag
        top = await fetch_document(self._connection, wanted)
        status = f"Pulling from {reference.path}"
        self._tell(LayerProgress(status=status, identifier=wanted))
        document = await self._for_platform(top, platform, _NESTED_INDEXES)
        self._pins.add(top.digest, document.digest)
        await asyncio.to_thread(self._store.blobs.add, top.data)
        await asyncio.to_thread(self._store.blobs.add, document.data)
        if not self._is_here(document.digest):
            await self._bring(decode_manifest(document.data))
        self._tell(LayerProgress(status=f"Digest: {top.digest}"))
        is_new = await self._name(reference, top, document.digest)
        status = "Downloaded newer image for" if is_new else "Image is up to date for"
        self._tell(LayerProgress(status=f"Status: {status} {familiar(str(reference))}"))
        return document.digest

    async def _for_platform(
        self, document: FetchedDocument, platform: Platform, depth: int
    ) -> FetchedDocument:
        if not document.is_index:
            return document
        chosen = chosen_of(decode_index(document.data).manifests, platform)
        if chosen is None or not depth:
            raise NotFound(
                f"no matching manifest for {platform_text(platform)} in the manifest list entries"
            )
        if chosen.size > DOCUMENT_LIMIT:
            raise InvalidImage(f"an image document has more than {DOCUMENT_LIMIT} bytes")
        found = await fetch_document(self._connection, chosen.digest, chosen.size)
        if found.is_index != (chosen.media_type in INDEX_TYPES):
            raise InvalidImage(f"{chosen.digest} is not of the type that its index tells")
        return await self._for_platform(found, platform, depth - 1)

    def _is_here(self, manifest: str) -> bool:
        """Whether it is in the store, with all that it needs to run and to be pushed."""
        if manifest not in self._store.names.images:
            return False
        image = self._store.stored(manifest)
        self._pins.add(*image.needed, *chain_identifiers(image.diff_ids))
        has_all = all(map(self._store.blobs.has, image.needed))
        return has_all and self._store.layers.are_unpacked(image.diff_ids)

    async def _bring(self, manifest: Manifest) -> None:
        if manifest.config.size > DOCUMENT_LIMIT:
            raise InvalidImage(f"an image document has more than {DOCUMENT_LIMIT} bytes")
        await self._downloads.fetch(self._connection, manifest.config, self._pins, lambda *_: None)
        configuration = decode_configuration(
            self._store.blobs.read(manifest.config.digest, DOCUMENT_LIMIT)
        )
        diff_ids = configuration.rootfs.diff_ids
        if len(diff_ids) != len(manifest.layers):
            raise InvalidImage("the configuration and the manifest name different layers")
        self._pins.add(*chain_identifiers(diff_ids))
        self._pins.add(*(layer.digest for layer in manifest.layers))
        downloads: list[asyncio.Task[None]] = []
        try:
            async with asyncio.TaskGroup() as group:
                for number, layer in enumerate(manifest.layers, start=1):
                    if not self._is_unpacked(layer, diff_ids[:number]):
                        self._tell_of(layer, "Pulling fs layer")
                    downloads.append(group.create_task(self._download(layer)))
                group.create_task(self._unpack(manifest.layers, diff_ids, downloads))
        except BaseExceptionGroup as group_error:
            # The first says why; the others were ended because of it.
            raise group_error.exceptions[0] from group_error

    async def _download(self, layer: Descriptor) -> None:
        if self._store.blobs.has(layer.digest):
            return
        async with self._slots:
            await self._downloads.fetch(self._connection, layer, self._pins, self._teller(layer))
        self._tell_of(layer, "Download complete")

    async def _unpack(
        self,
        layers: tuple[Descriptor, ...],
        diff_ids: tuple[str, ...],
        downloads: list[asyncio.Task[None]],
    ) -> None:
        """From the bottom up, each as soon as it and those below it are there."""
        for number, layer in enumerate(layers):
            lowest = diff_ids[: number + 1]
            if self._is_unpacked(layer, lowest):
                self._tell_of(layer, "Already exists")
                continue
            await downloads[number]
            await self._store.unpack_layer(lowest, layer.digest, self._extraction_teller(layer))
            self._tell_of(layer, "Pull complete")

    def _is_unpacked(self, layer: Descriptor, lowest: tuple[str, ...]) -> bool:
        has_blob = self._store.blobs.has(layer.digest)
        return has_blob and self._store.layers.is_unpacked(chain_identifiers(lowest)[-1])

    async def _name(self, reference: Reference, top: FetchedDocument, manifest: str) -> bool:
        """Whether any name leads elsewhere than before."""
        await self._store.keep(manifest)
        target = Target(
            digest=top.digest,
            media_type=top.media_type,
            size=len(top.data),
            image=manifest,
            tagged=self._moment,
        )
        by_digest = f"{reference.repository}@{top.digest}"
        names = self._store.names
        before = names.digests.get(by_digest)
        is_new = before is None or before.image != manifest
        await self._store.change_names(lambda names: names.with_digest(by_digest, target))
        if reference.tag and not reference.digest:
            tagged = self._store.names.tags.get(reference.tagged)
            if tagged is None or (tagged.digest, tagged.image) != (top.digest, manifest):
                is_new = True
                await self._store.change_names(
                    lambda names: names.with_tag(reference.tagged, target)
                )
        return is_new

    def _teller(self, layer: Descriptor) -> "_Teller":
        def tell(status: str, current: int, total: int) -> None:
            self._tell_of(layer, status, current, total)

        return tell

    def _extraction_teller(self, layer: Descriptor) -> Callable[[int], None]:
        """For the thread that unpacks: tells of each hundredth."""
        loop = asyncio.get_running_loop()
        tell = self._teller(layer)
        following = 0

        def told(size: int) -> None:
            nonlocal following
            if size >= following:
                following = size + max(layer.size // _STEPS, _SMALLEST_STEP)
                loop.call_soon_threadsafe(tell, "Extracting", size, layer.size)

        return told

    def _tell_of(self, layer: Descriptor, status: str, current: int = 0, total: int = 0) -> None:
        short = layer.digest.removeprefix("sha256:")[:_SHOWN]
        self._tell(LayerProgress(status=status, identifier=short, current=current, total=total))


_Teller = Callable[[str, int, int], None]
