"""Taking a cache from machine to machine, as an OCI image layout in a folder.

The layers that a build used are blobs under one manifest; its configuration lists the records
that lead to them. Keys are made of contents, so they mean the same everywhere. What comes in is
checked as any image is: by digests, and in size. All of it blocks: call it in a thread.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from sampan.engine.build.cache import BuildCache, CachedStep
from sampan.engine.build.errors import BuildFailed
from sampan.engine.images.documents import (
    DOCUMENT_LIMIT,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Index,
    InvalidImage,
    Manifest,
    checked_digest,
    decode_index,
    decode_manifest,
    digest_of,
    encode,
)
from sampan.engine.images.pins import PinSet
from sampan.engine.images.store import ImageStore

CACHE_TYPE = "application/vnd.sampan.build.cache.v1+json"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_BLOB_LIMIT = 32 << 30
_KEY_LENGTH = 64


class _Records(msgspec.Struct):
    steps: dict[str, CachedStep]


def export_cache(folder: Path, store: ImageStore, used: Mapping[str, CachedStep]) -> None:
    """Write the records of a build and their layers. Raises OSError."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    layers = {step.diff_id: step for step in used.values() if step.diff_id}
    for diff_id in layers:
        target = blobs / diff_id.partition(":")[2]
        if not target.exists():
            fresh = target.with_suffix(".new")
            shutil.copyfile(store.blobs.path(diff_id), fresh)
            fresh.rename(target)
    # How often and when a record was used is this machine's business.
    records = _Records(
        {
            key: msgspec.structs.replace(step, made=0, used=0, uses=0)
            for key, step in sorted(used.items())
        }
    )
    config = _put(blobs, msgspec.json.encode(records), CACHE_TYPE)
    descriptors = tuple(
        Descriptor(media_type=LAYER_TYPE, digest=diff_id, size=step.size)
        for diff_id, step in sorted(layers.items())
    )
    manifest = _put(blobs, encode(Manifest(config=config, layers=descriptors)), MANIFEST_TYPE)
    (folder / "oci-layout").write_bytes(_LAYOUT)
    fresh = folder / "index.json.new"
    fresh.write_bytes(encode(Index(manifests=(manifest,))))
    fresh.rename(folder / "index.json")


def import_cache(folder: Path, store: ImageStore, cache: BuildCache, now: float) -> None:
    """Take in what `export_cache` wrote; a folder that isn't there holds nothing.

    Raises BuildFailed for a broken cache, OSError.
    """
    if not (folder / "index.json").exists():
        return
    try:
        for key, step in _records(folder).items():
            if cache.find(key, now) is not None:
                continue
            with store.pinned() as pins:
                if step.diff_id:
                    _take_layer(folder, store, step, pins)
                cache.keep(key, msgspec.structs.replace(step, made=now, used=now, uses=0))
    except (InvalidImage, msgspec.DecodeError) as error:
        raise BuildFailed(f"the cache in {folder} can't be used: {error}") from error


def _records(folder: Path) -> dict[str, CachedStep]:
    index = decode_index(_read(folder / "index.json"))
    found: dict[str, CachedStep] = {}
    for descriptor in index.manifests:
        manifest = decode_manifest(_checked(folder, descriptor))
        if manifest.config.media_type != CACHE_TYPE:
            raise InvalidImage("it is no build cache")
        records = msgspec.json.decode(_checked(folder, manifest.config), type=_Records)
        for key, step in records.steps.items():
            if len(key) != _KEY_LENGTH or set(key) - set("0123456789abcdef"):
                raise InvalidImage(f"{key[:80]!r} is no key")
            if step.diff_id:
                checked_digest(step.diff_id)
                checked_digest(step.chain)
            found[key] = step
    return found


def _take_layer(folder: Path, store: ImageStore, step: CachedStep, pins: PinSet) -> None:
    pins.add(step.diff_id)
    if store.blobs.has(step.diff_id):
        return
    with _blob(folder, step.diff_id).open("rb") as file:
        found = store.blobs.add_stream(file, limit=min(step.size, _BLOB_LIMIT), pins=pins)
    if found != (step.diff_id, step.size):
        raise InvalidImage(f"blob {step.diff_id} has another digest or size")


def _checked(folder: Path, descriptor: Descriptor) -> bytes:
    data = _read(_blob(folder, descriptor.digest))
    if digest_of(data) != descriptor.digest:
        raise InvalidImage(f"blob {descriptor.digest} has another digest")
    return data


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(DOCUMENT_LIMIT + 1)
    if len(data) > DOCUMENT_LIMIT:
        raise InvalidImage(f"{path.name} has more than {DOCUMENT_LIMIT} bytes")
    return data


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / "sha256" / checked_digest(digest).partition(":")[2]


def _put(blobs: Path, data: bytes, media_type: str) -> Descriptor:
    digest = digest_of(data)
    path = blobs / digest.partition(":")[2]
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    os.rename(fresh, path)
    return Descriptor(media_type=media_type, digest=digest, size=len(data))
