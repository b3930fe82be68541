"""The machine's image store: names, manifests, layers, and who uses them.

One process owns it. Its folder is an OCI image layout (`oci-layout`, `index.json`, `blobs/`)
with unpacked `layers/` and `leases/` beside it. What no image in the index, no lease and no pin
leads to is removed. Methods that read or write much say that they block; the others are quick.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

import msgspec

from sampan.engine.contract import ImageDescription, ImageNotFound
from sampan.engine.images.blobs import BlobStore
from sampan.engine.images.documents import (
    CONFIGURATION_TYPE,
    DOCUMENT_LIMIT,
    Descriptor,
    ImageConfiguration,
    InvalidImage,
    Manifest,
    decode_configuration,
    decode_index,
    decode_manifest,
    digest_of,
    encode,
    is_index,
)
from sampan.engine.images.keyed_locks import KeyedLocks
from sampan.engine.images.layers import LayerStore, chain_identifiers
from sampan.engine.images.leases import Leases
from sampan.engine.images.lineage import Lineage
from sampan.engine.images.names import KnownImage, Names, Target, index_of, names_in
from sampan.engine.images.pins import PinBoard, PinSet
from sampan.engine.images.reference import (
    InvalidReference,
    familiar,
    full_identifier,
    is_identifier,
    parse_reference,
)
from sampan.engine.images.source import AcquiredImage
from sampan.host.tree_removal import remove_tree

_log = logging.getLogger(__name__)
_INDEX = "index.json"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest in the store with what it leads to."""

    digest: str
    manifest: Manifest
    configuration: ImageConfiguration

    @property
    def identifier(self) -> str:
        return self.manifest.config.digest

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return self.configuration.rootfs.diff_ids

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of its layers' blobs, from the bottom up."""
        return tuple(layer.digest for layer in self.manifest.layers)

    @property
    def needed(self) -> tuple[str, ...]:
        """Every blob of it."""
        return (self.digest, self.identifier, *self.blobs)


class ImageStore:
    def __init__(self, folder: Path) -> None:
        """Open or make the store. Raises OSError, InvalidImage for a broken index."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.blobs = BlobStore(folder)
        self.layers = LayerStore(folder, self.blobs)
        self.leases = Leases(folder / "leases")
        self._images: dict[str, StoredImage] = {}
        self._pins = PinBoard()
        self._unpacking = KeyedLocks()
        self._naming = asyncio.Lock()
        self.blobs.clear_incoming()
        self.layers.clear_unfinished()
        (folder / "oci-layout").write_bytes(_LAYOUT)
        self.names = self._read_names()
        self.lineage = Lineage(lambda: self.names, self._identifier_of)

    def resolve(self, reference: str) -> StoredImage:
        """By name, by name and digest, or by (the start of) an identifier.

        Raises ImageNotFound, InvalidReference.
        """
        return self.stored(self.find(reference)[0])

    def find(self, reference: str) -> tuple[str, str]:
        """The manifest that a reference leads to, and the full name if it is one ("" if not).

        Raises ImageNotFound, InvalidReference.
        """
        exactly = self._by_identifier(full_identifier(reference))
        if exactly:
            return exactly, ""
        try:
            name = parse_reference(reference)
        except InvalidReference:
            if not is_identifier(reference):
                raise
            name = None
        if name is not None:
            found = self._by_name(name.repository, name.tagged, name.digest)
            if found is not None:
                return found
        started = self._by_identifier(reference) if is_identifier(reference) else None
        if started is None:
            raise ImageNotFound(f"No such image: {familiar(str(name or reference))}")
        return started, ""

    def same(self, image: StoredImage) -> set[str]:
        """The manifests in the index that lead to the same configuration."""
        return self.lineage.same(image.identifier)

    def identified(self, identifier: str) -> StoredImage | None:
        """The image of a whole identifier, None if it isn't here."""
        manifests = self.lineage.same(identifier)
        return self.stored(min(manifests)) if manifests else None

    def stored(self, digest: str) -> StoredImage:
        """The image of a manifest's digest. Raises InvalidImage."""
        image = self._images.get(digest)
        if image is None:
            manifest = decode_manifest(self.blobs.read(digest, DOCUMENT_LIMIT))
            configuration = self.blobs.read(manifest.config.digest, DOCUMENT_LIMIT)
            image = StoredImage(
                digest=digest,
                manifest=manifest,
                configuration=decode_configuration(configuration),
            )
            self._images[digest] = image
        return image

    def _readable(self, digest: str) -> StoredImage | None:
        """None for an image that the disk has damaged: the others are none the worse for it."""
        try:
            return self.stored(digest)
        except InvalidImage as error:
            _log.warning("image %s can't be read: %s", digest, error)
            return None

    def _identifier_of(self, digest: str) -> str:
        image = self._readable(digest)
        return image.identifier if image is not None else ""

    def describe(self, image: StoredImage) -> ImageDescription:
        layers = sum(layer.size for layer in image.manifest.layers)
        return ImageDescription(
            names=self.names.tags_of(self.same(image)),
            digest=image.digest,
            identifier=image.identifier,
            size=image.manifest.config.size + layers,
            created=seconds_of(image.configuration.created),
            user=image.configuration.execution.user,
            stop_signal=image.configuration.execution.stop_signal,
            is_from_registry=bool(self.names.digests_of(self.same(image))),
        )

    def images(self) -> list[ImageDescription]:
        """All but those that only served to make others."""
        return [
            self.describe(image)
            for image in self.distinct()
            if not self.lineage.is_intermediate(image.identifier)
        ]

    def distinct(self) -> list[StoredImage]:
        """Each image once, however many manifests lead to its configuration."""
        groups = self.lineage.manifests()
        return [self.stored(min(manifests)) for _, manifests in sorted(groups.items())]

    async def acquire(self, reference: str, owner: str, container: str) -> AcquiredImage:
        """Take a lease on an image whose layers are unpacked."""
        image = self.resolve(reference)
        self.leases.take(owner, container, image.digest)
        if not self.layers.are_unpacked(image.diff_ids):
            await self.unpack(image)
        return AcquiredImage(
            description=self.describe(image),
            execution=image.configuration.execution,
            layers=tuple(str(path) for path in self.layers.folders(image.diff_ids)),
        )

    async def unpack(self, image: StoredImage) -> None:
        """Unpack the layers that are not yet. Raises InvalidImage, OSError."""
        await self.unpack_layers(image.diff_ids, image.blobs)

    async def unpack_layers(self, diff_ids: Sequence[str], blobs: Sequence[str]) -> None:
        """The same for layers that are no image yet."""
        if len(diff_ids) != len(blobs):
            raise InvalidImage("the configuration and the manifest name different layers")
        for number, blob in enumerate(blobs):
            await self.unpack_layer(diff_ids[: number + 1], blob)

    async def unpack_layer(
        self, diff_ids: Sequence[str], blob: str, progress: Callable[[int], None] | None = None
    ) -> None:
        """Unpack the last of these layers over those below it, once for all who ask.

        `progress` is told in the working thread how many compressed bytes have been read.
        """
        chain = chain_identifiers(diff_ids)
        async with self._unpacking.held(chain[-1]):
            if not self.layers.is_unpacked(chain[-1]):
                await asyncio.to_thread(self.layers.unpack, chain, diff_ids[-1], blob, progress)

    def release(self, owner: str, container: str) -> None:
        self.leases.release(owner, container)

    def retain(self, owner: str, containers: Iterable[str]) -> None:
        self.leases.retain(owner, containers)

    def pinned(self) -> AbstractContextManager[PinSet]:
        """A set of digests (of blobs and chains) that are kept while the block runs."""
        return self._pins.pinned()

    def add_manifest(
        self,
        configuration: ImageConfiguration | bytes,
        layers: Iterable[Descriptor],
        pins: PinSet,
        annotations: Mapping[str, str] | None = None,
    ) -> str:
        """Keep the two documents of an image whose layers are in; the manifest's digest.

        A configuration that comes from elsewhere is given as it was written, since its digest
        identifies the image. Blocks: call it in a thread.
        """
        data = configuration if isinstance(configuration, bytes) else encode(configuration)
        manifest = encode(
            Manifest(
                config=Descriptor(
                    media_type=CONFIGURATION_TYPE, digest=digest_of(data), size=len(data)
                ),
                layers=tuple(layers),
                annotations=dict(annotations) if annotations else msgspec.UNSET,
            )
        )
        pins.add(digest_of(data), digest_of(manifest))
        self.blobs.add(data)
        return self.blobs.add(manifest)

    async def keep(self, digest: str, parent: str = "") -> None:
        """Put an image into the index, at first without a name. Raises InvalidImage."""
        await self.keep_all({digest: parent})

    async def keep_all(self, parents: Mapping[str, str]) -> None:
        """Put images into the index at once, each by its manifest's digest, with its parent."""
        fresh = {
            digest: KnownImage(
                self.blobs.size(digest), self.stored(digest).manifest.media_type, parent
            )
            for digest, parent in parents.items()
            if digest not in self.names.images
        }
        if fresh:
            await self.change_names(lambda names: names.with_images(fresh))

    def target(self, digest: str, image: str = "", moment: float = 0) -> Target:
        """What a name leads to: `digest`, a manifest, or an index and the `image` of it."""
        media_type = (
            self.stored(digest).manifest.media_type
            if image in ("", digest)
            else decode_index(self.blobs.read(digest, DOCUMENT_LIMIT)).media_type
        )
        return Target(
            digest=digest,
            media_type=media_type,
            size=self.blobs.size(digest),
            image=image or digest,
            tagged=moment,
        )

    async def tag(self, digest: str, name: str, moment: float = 0) -> None:
        """Give an image a name, which may have been another's. Raises InvalidReference."""
        tagged = parse_reference(name).tagged
        target = self.target(digest, moment=moment)
        await self.keep(digest)
        await self.change_names(lambda names: names.with_tag(tagged, target))

    async def change_names(self, change: Callable[[Names], Names]) -> None:
        """Names count once they are on the disk; changes come one after another."""
        async with self._naming:
            names = change(self.names)
            if names != self.names:
                index = encode(index_of(names))
                await asyncio.to_thread(_write_durably, self.folder / _INDEX, index)
                self.names = names

    async def collect(self) -> None:
        """Remove every blob and layer that no image, no lease and no pin leads to."""
        doomed = []
        with self._pins.guard:
            blobs, chains = self._needed()
            for digest in self.blobs.digests() - blobs:
                doomed.append(self.blobs.discard(digest))
                self._images.pop(digest, None)
            doomed += [self.layers.discard(chain) for chain in self.layers.chains() - chains]
        for path in doomed:
            await asyncio.to_thread(_remove, path)

    def _needed(self) -> tuple[set[str], set[str]]:
        pinned = self._pins.held()
        blobs, chains = pinned.union(self.names.images), set(pinned)
        leased = {digest for digest in self.leases.manifests() if self.blobs.has(digest)}
        for image in filter(None, map(self._readable, leased.union(self.names.images))):
            blobs.update(image.needed)
            chains.update(chain_identifiers(image.diff_ids))
        for target in self.names.targets().difference(blobs):
            blobs.update(self.below(target))
        return blobs, chains

    def below(self, digest: str) -> Iterator[str]:
        """A document's digest and those of all that it names, as far as it is here."""
        yield digest
        if not self.blobs.has(digest):
            return
        data = self.blobs.read(digest, DOCUMENT_LIMIT)
        if is_index(data):
            for descriptor in decode_index(data).manifests:
                yield from self.below(descriptor.digest)
        else:
            manifest = decode_manifest(data)
            yield manifest.config.digest
            yield from (layer.digest for layer in manifest.layers)

    def _by_identifier(self, text: str) -> str | None:
        if not text:
            return None
        start = text if text.startswith("sha256:") else f"sha256:{text}"
        found = [
            min(manifests)
            for identifier, manifests in self.lineage.manifests().items()
            if identifier.startswith(start) or any(it.startswith(start) for it in manifests)
        ]
        return found[0] if len(found) == 1 else None

    def _by_name(self, repository: str, tagged: str, digest: str) -> tuple[str, str] | None:
        if not digest:
            target = self.names.tags.get(tagged)
            return (target.image, tagged) if target else None
        name = f"{repository}@{digest}"
        target = self.names.digests.get(name)
        if target is None:
            named = (it for key, it in self.names.tags.items() if key.startswith(f"{repository}:"))
            target = next((it for it in named if digest in (it.digest, it.image)), None)
        return (target.image, name) if target else None

    def _read_names(self) -> Names:
        try:
            return names_in(decode_index((self.folder / _INDEX).read_bytes()))
        except FileNotFoundError:
            return Names()


def seconds_of(timestamp: str) -> float:
    """Seconds since the epoch of an RFC 3339 time; 0 for none or an unreadable one."""
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return 0


def _write_durably(path: Path, data: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        remove_tree(path)
    else:
        path.unlink()
