"""Images out of one tar file: what `docker save` and OCI tools write.

An archive's files are taken into the blob store first, each under its own digest and nothing
else; then the documents are read, and only what they name and what has the right digest and
size becomes an image. Sources: the OCI image layout; the docker-archive form (`manifest.json`).
All of it blocks: call it in a thread.
"""

import posixpath
import tarfile
from collections.abc import Iterator, Mapping

import msgspec

from sampan.engine.contract import ImageNotFound
from sampan.engine.images.documents import (
    DOCUMENT_LIMIT,
    IMAGE_NAME_ANNOTATION,
    INDEX_TYPES,
    LAYER_TYPE,
    MANIFEST_TYPES,
    Descriptor,
    InvalidImage,
    decode_configuration,
    decode_index,
    decode_manifest,
    without_nulls,
)
from sampan.engine.images.extraction import entry_path
from sampan.engine.images.pins import PinSet
from sampan.engine.images.platforms import chosen_of, machine_platform, platform_text
from sampan.engine.images.reference import parse_reference
from sampan.engine.images.store import ImageStore, StoredImage
from sampan.engine.images.streams import (
    GZIP_MAGIC,
    ZSTD_MAGIC,
    Readable,
    archive_entries,
    decompressed,
)

_FILE_LIMIT = 10_000
_NESTED_INDEXES = 4
_BLOB_LIMIT = 32 << 30


class _DockerEntry(msgspec.Struct, rename="pascal"):
    config: str
    layers: tuple[str, ...] = ()
    repo_tags: tuple[str, ...] | None = None


class _Files:
    """The files of an archive by their name, each a blob in the store."""

    def __init__(self, store: ImageStore, pins: PinSet) -> None:
        self._store = store
        self._pins = pins
        self._digests: dict[str, tuple[str, int]] = {}
        self._links: dict[str, str] = {}

    def take(self, entry: tarfile.TarInfo, content: Readable) -> None:
        name = entry_path(entry.name)
        if len(self._digests) + len(self._links) >= _FILE_LIMIT:
            raise InvalidImage(f"an image archive has more than {_FILE_LIMIT} files")
        if entry.issym() or entry.islnk():
            base = posixpath.dirname(name) if entry.issym() else ""
            self._links[name] = entry_path(posixpath.normpath(posixpath.join(base, entry.linkname)))
        elif entry.isreg():
            self._digests[name] = self._store.blobs.add_stream(
                content, limit=_BLOB_LIMIT, pins=self._pins
            )

    def find(self, name: str) -> tuple[str, int] | None:
        path = entry_path(name)
        return self._digests.get(self._links.get(path, path))

    def named(self, name: str) -> tuple[str, int]:
        found = self.find(name)
        if found is None:
            raise InvalidImage(f"the archive has no file {name[:200]!r}")
        return found

    def document(self, name: str) -> bytes:
        return self._store.blobs.read(self.named(name)[0], DOCUMENT_LIMIT)


class LoadedImage(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is full, or "" for an image without one; `target` an index or the manifest."""

    name: str
    manifest: str
    target: str


def load_archive(store: ImageStore, stream: Readable, pins: PinSet) -> list[LoadedImage]:
    """Take in every image of an archive, which may be compressed as a whole.

    They are not in the index yet. Raises InvalidImage, OSError.
    """
    files = _Files(store, pins)
    for entry, content in archive_entries(decompressed(stream)):
        files.take(entry, content)
    if files.find("index.json") is not None:
        found = list(_oci_images(store, files))
    elif files.find("manifest.json") is not None:
        found = list(_docker_images(store, files, pins))
    else:
        raise InvalidImage("the file is no image archive: neither index.json nor manifest.json")
    for each in found:
        _check(store, store.stored(each.manifest), pins)
    return found


def _oci_images(store: ImageStore, files: _Files) -> Iterator[LoadedImage]:
    index = decode_index(files.document("index.json"))
    docker_names = _docker_names(files)
    for descriptor in index.manifests:
        manifest = _manifest_of(store, descriptor, _NESTED_INDEXES)
        name = descriptor.annotations.get(IMAGE_NAME_ANNOTATION, "")
        config = decode_manifest(store.blobs.read(manifest, DOCUMENT_LIMIT)).config.digest
        names = (name,) if name else docker_names.get(config, ("",))
        for each in names:
            yield LoadedImage(name=_full_name(each), manifest=manifest, target=descriptor.digest)


def _manifest_of(store: ImageStore, descriptor: Descriptor, depth: int) -> str:
    """The manifest for this machine that a descriptor leads to."""
    data = store.blobs.read(descriptor.digest, DOCUMENT_LIMIT)
    if len(data) != descriptor.size:
        raise InvalidImage(f"{descriptor.digest} has {len(data)} bytes, not {descriptor.size}")
    if descriptor.media_type in MANIFEST_TYPES:
        return descriptor.digest
    if descriptor.media_type not in INDEX_TYPES or depth == 0:
        raise InvalidImage(f"{descriptor.media_type[:100]!r} is no kind of image")
    here = [it for it in decode_index(data).manifests if store.blobs.has(it.digest)]
    chosen = chosen_of(here, machine_platform())
    if chosen is None:
        raise ImageNotFound(f"the archive has no image for {platform_text(machine_platform())}")
    return _manifest_of(store, chosen, depth - 1)


def _docker_entries(files: _Files) -> list[_DockerEntry]:
    try:
        tree = without_nulls(msgspec.json.decode(files.document("manifest.json")))
        return msgspec.convert(tree, list[_DockerEntry])
    except msgspec.DecodeError as error:
        raise InvalidImage(f"manifest.json can't be read: {error}") from error


def _docker_names(files: _Files) -> Mapping[str, tuple[str, ...]]:
    """The names that newer archives carry in both forms, by the configuration's digest."""
    if files.find("manifest.json") is None:
        return {}
    return {
        files.named(entry.config)[0]: entry.repo_tags
        for entry in _docker_entries(files)
        if entry.repo_tags
    }


def _docker_images(store: ImageStore, files: _Files, pins: PinSet) -> Iterator[LoadedImage]:
    for entry in _docker_entries(files):
        configuration = files.document(entry.config)
        decode_configuration(configuration)
        layers = [_layer(store, *files.named(layer)) for layer in entry.layers]
        digest = store.add_manifest(configuration, layers, pins)
        for name in entry.repo_tags or ("",):
            yield LoadedImage(name=_full_name(name), manifest=digest, target=digest)


def _layer(store: ImageStore, digest: str, size: int) -> Descriptor:
    with store.blobs.path(digest).open("rb") as file:
        magic = file.read(4)
    suffix = "+gzip" if magic.startswith(GZIP_MAGIC) else "+zstd" if magic == ZSTD_MAGIC else ""
    return Descriptor(media_type=LAYER_TYPE + suffix, digest=digest, size=size)


def _full_name(name: str) -> str:
    return parse_reference(name).tagged if name else ""


def _check(store: ImageStore, image: StoredImage, pins: PinSet) -> None:
    """Everything that the manifest names is there, with its size."""
    pins.add(image.digest, image.manifest.config.digest, *image.blobs)
    for descriptor in (image.manifest.config, *image.manifest.layers):
        if not store.blobs.has(descriptor.digest):
            raise InvalidImage(f"the archive lacks {descriptor.digest}")
        size = store.blobs.path(descriptor.digest).stat().st_size
        if size != descriptor.size:
            raise InvalidImage(f"{descriptor.digest} has {size} bytes, not {descriptor.size}")
