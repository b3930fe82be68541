"""The machine's image store: names, manifests, layers, and who uses them.

One process owns it. Its folder is an OCI image layout (`oci-layout`, `index.json`, `blobs/`)
with unpacked `layers/` and `leases/` beside it. What nothing names and nobody leases is
removed. Methods that read or write much say that they block; the others are quick.
"""

import asyncio
import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from sampan.engine.contract import EngineError, ImageDescription, ImageNotFound
from sampan.engine.images.blobs import BlobStore
from sampan.engine.images.documents import (
    CONFIGURATION_TYPE,
    DOCUMENT_LIMIT,
    IMAGE_NAME_ANNOTATION,
    MANIFEST_TYPE,
    REFERENCE_ANNOTATION,
    Descriptor,
    ImageConfiguration,
    Index,
    Manifest,
    decode_configuration,
    decode_index,
    decode_manifest,
    digest_of,
    encode,
)
from sampan.engine.images.layers import LayerStore, chain_identifiers
from sampan.engine.images.reference import is_identifier, parse_reference
from sampan.engine.images.source import AcquiredImage
from sampan.host.tree_removal import remove_tree

_INDEX = "index.json"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class ImageInUse(EngineError):
    """Containers need the image."""


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest in the store with what it leads to."""

    digest: str
    manifest: Manifest
    configuration: ImageConfiguration

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return self.configuration.rootfs.diff_ids

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of its layers' blobs, from the bottom up."""
        return tuple(layer.digest for layer in self.manifest.layers)


class ImageStore:
    def __init__(self, folder: Path) -> None:
        """Open or make the store. Raises OSError, InvalidImage for a broken index."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.blobs = BlobStore(folder)
        self.layers = LayerStore(folder, self.blobs)
        self._leases = folder / "leases"
        self._leases.mkdir(exist_ok=True, mode=0o700)
        self._images: dict[str, StoredImage] = {}
        self._pins: Counter[str] = Counter()
        self._pin_guard = threading.Lock()
        self._unpacking = asyncio.Lock()
        self._naming = asyncio.Lock()
        self.blobs.clear_incoming()
        self.layers.clear_unfinished()
        (folder / "oci-layout").write_bytes(_LAYOUT)
        self._names = self._read_index()

    def resolve(self, reference: str) -> StoredImage:
        """By name, by name and digest, or by (the start of) an identifier.

        Raises ImageNotFound, InvalidReference.
        """
        found = self._by_identifier(reference)
        if found is None:
            name = parse_reference(reference)
            found = self._names.get(name.tagged) if name.tag or not name.digest else name.digest
            if found not in self._names.values() or name.digest not in ("", found):
                found = None
        if found is None:
            raise ImageNotFound(
                f"image {reference!r} is not on this machine; build it with 'sampan build' "
                "or bring it with 'sampan load'"
            )
        return self.stored(found)

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

    def describe(self, image: StoredImage) -> ImageDescription:
        layers = sum(layer.size for layer in image.manifest.layers)
        return ImageDescription(
            names=tuple(name for name, digest in self._names.items() if digest == image.digest),
            digest=image.digest,
            identifier=image.manifest.config.digest,
            size=image.manifest.config.size + layers,
            created=seconds_of(image.configuration.created),
            user=image.configuration.execution.user,
            stop_signal=image.configuration.execution.stop_signal,
        )

    def images(self) -> list[ImageDescription]:
        return [
            self.describe(self.stored(digest)) for digest in dict.fromkeys(self._names.values())
        ]

    async def acquire(self, reference: str, owner: str, container: str) -> AcquiredImage:
        """Take a lease on an image whose layers are unpacked."""
        image = self.resolve(reference)
        folder = self._owner_folder(owner)
        folder.mkdir(exist_ok=True, mode=0o700)
        (folder / container).write_text(image.digest)
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
        """The same for layers that are no image yet; one unpacking at a time."""
        async with self._unpacking:
            await asyncio.to_thread(self.layers.unpack, diff_ids, blobs)

    def release(self, owner: str, container: str) -> None:
        (self._owner_folder(owner) / container).unlink(missing_ok=True)

    def retain(self, owner: str, containers: Iterable[str]) -> None:
        folder = self._owner_folder(owner)
        if folder.is_dir():
            for container in set(os.listdir(folder)).difference(containers):
                (folder / container).unlink(missing_ok=True)

    @contextmanager
    def pinned(self) -> Iterator["PinSet"]:
        """A set of digests (of blobs and chains) that are kept while the block runs."""
        pins = PinSet(self._pins, self._pin_guard)
        try:
            yield pins
        finally:
            pins.release()

    def add_manifest(
        self, configuration: ImageConfiguration, layers: Iterable[Descriptor], pins: "PinSet"
    ) -> str:
        """Keep the two documents of an image whose layers are in; the manifest's digest.

        Blocks: call it in a thread.
        """
        data = encode(configuration)
        manifest = encode(
            Manifest(
                config=Descriptor(
                    media_type=CONFIGURATION_TYPE, digest=digest_of(data), size=len(data)
                ),
                layers=tuple(layers),
            )
        )
        pins.add(digest_of(data), digest_of(manifest))
        self.blobs.add(data)
        return self.blobs.add(manifest)

    async def tag(self, digest: str, name: str) -> None:
        """Give an image a name, which may have been another's. Raises InvalidReference."""
        self.stored(digest)
        tagged = parse_reference(name).tagged
        if self._names.get(tagged) != digest:
            await self._change_names(lambda names: names | {tagged: digest})
            await self.collect()

    async def remove(self, reference: str) -> list[str]:
        """Take away a name, or all of an image's names when it is given by identifier.

        Returns the names. Raises ImageNotFound, and ImageInUse for a last name of an image
        that is leased.
        """
        image = self.resolve(reference)
        all_names = [name for name, digest in self._names.items() if digest == image.digest]
        if self._by_identifier(reference) is not None:
            names = all_names
        else:
            names = [parse_reference(reference).tagged]
        if len(names) == len(all_names) and image.digest in self._leased():
            raise ImageInUse(f"image {reference!r} is used by a container")
        await self._change_names(
            lambda all_names: {
                name: digest for name, digest in all_names.items() if name not in names
            }
        )
        await self.collect()
        return names

    async def collect(self) -> None:
        """Remove every blob and layer that no name, no lease and no pin leads to."""
        blobs, chains = self._needed()
        for digest in self.blobs.digests() - blobs:
            self.blobs.remove(digest)
            self._images.pop(digest, None)
        doomed = [self.layers.discard(chain) for chain in self.layers.chains() - chains]
        for path in doomed:
            await asyncio.to_thread(remove_tree, path)

    def _needed(self) -> tuple[set[str], set[str]]:
        with self._pin_guard:
            pinned = {digest for digest, count in self._pins.items() if count}
        blobs, chains = set(pinned), set(pinned)
        for digest in self._leased().union(self._names.values()):
            image = self.stored(digest)
            blobs.update((digest, image.manifest.config.digest, *image.blobs))
            chains.update(chain_identifiers(image.diff_ids))
        return blobs, chains

    def _leased(self) -> set[str]:
        leased = {path.read_text() for path in self._leases.glob("*/*")}
        return {digest for digest in leased if digest and self.blobs.has(digest)}

    def _owner_folder(self, owner: str) -> Path:
        return self._leases / hashlib.sha256(owner.encode()).hexdigest()[:32]

    def _by_identifier(self, text: str) -> str | None:
        if not is_identifier(text):
            return None
        start = text if text.startswith("sha256:") else f"sha256:{text}"
        found = {
            digest
            for digest in self._names.values()
            if digest.startswith(start)
            or self.stored(digest).manifest.config.digest.startswith(start)
        }
        return found.pop() if len(found) == 1 else None

    def _read_index(self) -> dict[str, str]:
        try:
            index = decode_index((self.folder / _INDEX).read_bytes())
        except FileNotFoundError:
            return {}
        return {
            manifest.annotations[IMAGE_NAME_ANNOTATION]: manifest.digest
            for manifest in index.manifests
            if IMAGE_NAME_ANNOTATION in manifest.annotations
        }

    async def _change_names(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Names count once they are on the disk; changes come one after another."""
        async with self._naming:
            names = change(self._names)
            manifests = tuple(self._named(name, digest) for name, digest in sorted(names.items()))
            index = encode(Index(manifests=manifests))
            await asyncio.to_thread(_write_durably, self.folder / _INDEX, index)
            self._names = names

    def _named(self, name: str, digest: str) -> Descriptor:
        return Descriptor(
            media_type=MANIFEST_TYPE,
            digest=digest,
            size=self.blobs.path(digest).stat().st_size,
            annotations={
                IMAGE_NAME_ANNOTATION: name,
                REFERENCE_ANNOTATION: name.rpartition(":")[2],
            },
        )


class PinSet:
    """What one load or build needs kept; several may pin the same digest."""

    def __init__(self, counter: Counter[str], guard: threading.Lock) -> None:
        self._counter = counter
        self._guard = guard
        self._held: set[str] = set()

    def add(self, *digests: str) -> None:
        """May be called in any thread."""
        with self._guard:
            fresh = set(digests) - self._held
            self._counter.update(fresh)
            self._held |= fresh

    def release(self) -> None:
        with self._guard:
            self._counter.subtract(self._held)
            self._held.clear()


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
