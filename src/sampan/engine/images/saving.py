"""Writing images into one tar stream that both docker and OCI tools can load.

It holds an OCI image layout and beside it the `manifest.json` and `repositories` of docker's
own form, over the same blobs.
"""

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sampan.engine.images.documents import (
    DOCUMENT_LIMIT,
    IMAGE_NAME_ANNOTATION,
    REFERENCE_ANNOTATION,
    Descriptor,
    Index,
    decode_index,
    encode,
    is_index,
)
from sampan.engine.images.names import Target
from sampan.engine.images.reference import familiar
from sampan.engine.images.store import ImageStore
from sampan.engine.images.streams import CHUNK

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class SavedImage(msgspec.Struct, frozen=True):
    """`names` are full; one saved by its identifier has none."""

    target: Target
    names: tuple[str, ...]


def saved_blobs(store: ImageStore, images: Sequence[SavedImage]) -> list[str]:
    """The digests of all that goes into the archive. Raises InvalidImage."""
    found: set[str] = set()
    for image in images:
        found.update(store.stored(image.target.image).needed)
        if _is_complete(store, image.target.digest):
            found.update(store.below(image.target.digest))
    return sorted(found)


def archive_of(store: ImageStore, images: Sequence[SavedImage]) -> Iterator[bytes]:
    """The archive in pieces. Blocks between them. Raises InvalidImage, OSError."""
    yield from _document("oci-layout", _LAYOUT)
    yield from _document("index.json", encode(Index(manifests=tuple(_entries(store, images)))))
    yield from _document("manifest.json", msgspec.json.encode(_docker_entries(store, images)))
    repositories = _repositories(store, images)
    if repositories:
        yield from _document("repositories", msgspec.json.encode(repositories))
    for digest in saved_blobs(store, images):
        size = store.blobs.size(digest)
        yield _header(_blob_name(digest), size)
        with store.blobs.path(digest).open("rb") as blob:
            while piece := blob.read(CHUNK):
                yield piece
        yield _padding(size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _entries(store: ImageStore, images: Sequence[SavedImage]) -> Iterator[Descriptor]:
    for image in images:
        target = image.target
        digest = target.digest if _is_complete(store, target.digest) else target.image
        entry = Descriptor(
            media_type=target.media_type
            if digest == target.digest
            else store.stored(digest).manifest.media_type,
            digest=digest,
            size=store.blobs.size(digest),
        )
        for name in image.names:
            notes = {IMAGE_NAME_ANNOTATION: name, REFERENCE_ANNOTATION: name.rpartition(":")[2]}
            yield msgspec.structs.replace(entry, annotations=notes)
        if not image.names:
            yield entry


def _is_complete(store: ImageStore, digest: str) -> bool:
    """Whether an index is here with everything that it names."""
    if not store.blobs.has(digest):
        return False
    data = store.blobs.read(digest, DOCUMENT_LIMIT)
    return not is_index(data) or all(
        all(map(store.blobs.has, store.below(it.digest))) for it in decode_index(data).manifests
    )


def _docker_entries(store: ImageStore, images: Sequence[SavedImage]) -> list[Mapping[str, Any]]:
    entries: list[Mapping[str, Any]] = []
    for image in images:
        stored = store.stored(image.target.image)
        entries.append(
            {
                "Config": _blob_name(stored.identifier),
                "RepoTags": [familiar(name) for name in image.names] or None,
                "Layers": [_blob_name(digest) for digest in stored.blobs],
            }
        )
    return entries


def _repositories(
    store: ImageStore, images: Sequence[SavedImage]
) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for image in images:
        blobs = store.stored(image.target.image).blobs
        for name in image.names:
            repository, _, tag = familiar(name).rpartition(":")
            top = blobs[-1] if blobs else image.target.image
            found.setdefault(repository, {})[tag] = top.removeprefix("sha256:")
    return found


def _blob_name(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _document(name: str, data: bytes) -> Iterator[bytes]:
    yield _header(name, len(data)) + data + _padding(len(data))


def _header(name: str, size: int) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = size
    return header.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
