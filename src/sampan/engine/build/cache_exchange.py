"""Taking a cache from machine to machine, through a registry or a folder of the client's.

The layers that a build used are blobs under one manifest, compressed; its configuration lists the
records that lead to them. Keys are made of contents, so they mean the same everywhere. Of what
comes in, a layer is brought when a step needs it, and held to its digest and size.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from sampan.engine.build.cache import BuildCache, CachedStep
from sampan.engine.build.cache_place import CachePlace
from sampan.engine.build.errors import BuildFailed
from sampan.engine.images.bridge import ThreadReader
from sampan.engine.images.documents import (
    DOCUMENT_LIMIT,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    InvalidImage,
    Manifest,
    checked_digest,
    digest_of,
    encode,
)
from sampan.engine.images.pins import PinSet
from sampan.engine.images.registry.compression import compressed_layer
from sampan.engine.images.store import ImageStore
from sampan.engine.images.streams import decompressed

CACHE_TYPE = "application/vnd.sampan.build.cache.v1+json"
_PLAIN_DIGEST = "dev.sampan.build.diff-id"
_LAYER_LIMIT = 10_000
_BLOB_LIMIT = 32 << 30
_KEY_LENGTH = 64

Mode = Literal["min", "max"]


class _Records(msgspec.Struct):
    steps: dict[str, CachedStep]


class ImportedCache:
    """The records of one place; use `read_cache`."""

    def __init__(
        self, place: CachePlace, steps: Mapping[str, CachedStep], layers: Mapping[str, Descriptor]
    ) -> None:
        self._place = place
        self._steps = steps
        self._layers = layers

    def find(self, key: str) -> CachedStep | None:
        return self._steps.get(key)

    async def bring(self, step: CachedStep, store: ImageStore, pins: PinSet) -> None:
        """Have a record's layer in the store. Raises BuildFailed, EngineError, OSError."""
        pins.add(step.diff_id)
        if store.blobs.has(step.diff_id):
            return
        stream = ThreadReader(self._place.blob(self._layers[step.diff_id]))

        def take() -> tuple[str, int]:
            limit = min(step.size, _BLOB_LIMIT)
            return store.blobs.add_stream(decompressed(stream), limit=limit, pins=pins)

        try:
            found = await asyncio.to_thread(take)
        except InvalidImage as error:
            raise BuildFailed(f"an imported cache can't be used: {error}") from error
        if found != (step.diff_id, step.size):
            raise BuildFailed(
                f"an imported cache can't be used: blob {step.diff_id} has another digest or size"
            )


async def read_cache(place: CachePlace, document: bytes) -> ImportedCache:
    """The records that a manifest leads to. Raises InvalidImage, EngineError."""
    manifest = _manifest(document)
    data = bytearray()
    async for piece in place.blob(manifest.config):
        data += piece
        if len(data) > DOCUMENT_LIMIT:
            raise InvalidImage(f"the records have more than {DOCUMENT_LIMIT} bytes")
    if digest_of(bytes(data)) != manifest.config.digest:
        raise InvalidImage(f"blob {manifest.config.digest} has another digest")
    layers = {layer.annotations.get(_PLAIN_DIGEST, ""): layer for layer in manifest.layers}
    return ImportedCache(place, _records(bytes(data), layers.keys()), layers)


def is_cache(document: bytes) -> bool:
    """Whether it is the manifest of a cache, and not one of an image."""
    try:
        return _manifest(document).config.media_type == CACHE_TYPE
    except InvalidImage:
        return False


def _manifest(document: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(document, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidImage(f"the manifest can't be read: {error}") from error
    if len(manifest.layers) > _LAYER_LIMIT:
        raise InvalidImage(f"a cache has at most {_LAYER_LIMIT} layers")
    for descriptor in (manifest.config, *manifest.layers):
        checked_digest(descriptor.digest)
    return manifest


def _records(data: bytes, layers: Iterable[str]) -> dict[str, CachedStep]:
    try:
        steps = msgspec.json.decode(data, type=_Records).steps
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidImage(f"the records can't be read: {error}") from error
    known = set(layers)
    for key, step in steps.items():
        if len(key) != _KEY_LENGTH or set(key) - set("0123456789abcdef"):
            raise InvalidImage(f"{key[:80]!r} is no key")
        if step.diff_id:
            checked_digest(step.diff_id)
            checked_digest(step.chain)
            if step.diff_id not in known:
                raise InvalidImage(f"the cache lacks the layer {step.diff_id}")
    return steps


class CacheImports:
    """All the caches that one build was told of, and the machine's own, which gets what is
    used. `clock` gives seconds since the epoch."""

    def __init__(
        self,
        store: ImageStore,
        cache: BuildCache,
        pins: PinSet,
        clock: Callable[[], float],
        caches: Iterable[ImportedCache] = (),
    ) -> None:
        self._store = store
        self._cache = cache
        self._pins = pins
        self._clock = clock
        self._caches = list(caches)

    def add(self, imported: ImportedCache) -> None:
        self._caches.append(imported)

    async def find(self, key: str) -> CachedStep | None:
        """Raises BuildFailed for a broken layer, EngineError, OSError."""
        now = self._clock()
        known = self._cache.find(key, now)
        if known is not None:
            return known
        for imported in self._caches:
            step = imported.find(key)
            if step is not None:
                if step.diff_id:
                    await imported.bring(step, self._store, self._pins)
                self._cache.keep(key, msgspec.structs.replace(step, made=now, used=now, uses=1))
                return step
        return None


async def write_cache(
    place: CachePlace,
    store: ImageStore,
    used: Mapping[str, CachedStep],
    pins: PinSet,
    *,
    kept: Iterable[str] | None = None,
) -> Descriptor:
    """Take the records of a build to a place, with the layers of all or of those in `kept`; the
    manifest that leads to them. Raises EngineError, OSError."""
    wanted = None if kept is None else {"", *kept}
    steps = {
        key: step for key, step in sorted(used.items()) if wanted is None or step.diff_id in wanted
    }
    layers = {step.diff_id: step.size for step in steps.values() if step.diff_id}
    descriptors = [
        await _put_layer(place, store, pins, diff_id, size)
        for diff_id, size in sorted(layers.items())
    ]
    # How often and when a record was used is this machine's business.
    records = {
        key: msgspec.structs.replace(step, made=0, used=0, uses=0) for key, step in steps.items()
    }
    data = msgspec.json.encode(_Records(records))
    config = Descriptor(media_type=CACHE_TYPE, digest=digest_of(data), size=len(data))
    pins.add(config.digest)
    await asyncio.to_thread(store.blobs.add, data)
    await place.put_blob(config, store.blobs.path(config.digest))
    manifest = encode(Manifest(config=config, layers=tuple(descriptors)))
    await place.put_document(manifest, MANIFEST_TYPE)
    return Descriptor(media_type=MANIFEST_TYPE, digest=digest_of(manifest), size=len(manifest))


async def _put_layer(
    place: CachePlace, store: ImageStore, pins: PinSet, diff_id: str, size: int
) -> Descriptor:
    plain = Descriptor(media_type=LAYER_TYPE, digest=diff_id, size=size)
    packed = await asyncio.to_thread(compressed_layer, store.blobs, plain, pins)
    await place.put_blob(packed, store.blobs.path(packed.digest))
    return msgspec.structs.replace(packed, annotations={_PLAIN_DIGEST: diff_id})
