"""New images out of what containers, builds and users have: layers and their configuration.

A layer is kept as a plain tar, so that its digest is its diff_id. All of it blocks: call it in
a thread.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from sampan.engine.images.documents import (
    LAYER_TYPE,
    Descriptor,
    ExecutionConfiguration,
    History,
    ImageConfiguration,
    InvalidImage,
    Platform,
    RootFilesystem,
)
from sampan.engine.images.pins import PinSet
from sampan.engine.images.store import ImageStore, StoredImage
from sampan.engine.images.streams import HashingReader, Readable, archive_entries, decompressed
from sampan.engine.snapshots.changeset import write_changeset
from sampan.host.identifier_maps import UNMAPPED, OwnerMaps

_ROOT_LIMIT = 32 << 30


def layer_of_changes(
    store: ImageStore,
    upper: Path,
    pins: PinSet,
    latest: int | None = None,
    owners: OwnerMaps = UNMAPPED,
) -> Descriptor:
    """A blob of what was written to an overlay's upper folder, no time in it after `latest`, its
    `owners` as they are inside their user namespace.

    Raises InvalidImage for what an image can't hold, OSError.
    """
    with store.blobs.incoming() as file:
        write_changeset(upper, file, latest, owners)
        file.flush()
        with Path(file.name).open("rb") as written:
            reader = HashingReader(written)
            reader.drain()
        pins.add(reader.digest)
        store.blobs.keep(file, reader.digest)
    return Descriptor(media_type=LAYER_TYPE, digest=reader.digest, size=reader.size)


def layer_of_root(store: ImageStore, stream: Readable, pins: PinSet) -> Descriptor:
    """A blob of a tar, compressed or not, that holds a root. Raises InvalidImage, OSError."""
    content = decompressed(stream)
    digest, size = store.blobs.add_stream(content, limit=_ROOT_LIMIT, pins=pins)
    with store.blobs.path(digest).open("rb") as file:
        if next(archive_entries(file), None) is None and size == 0:
            raise InvalidImage("the archive is empty")
    return Descriptor(media_type=LAYER_TYPE, digest=digest, size=size)


def image_on_top(
    store: ImageStore,
    base: StoredImage,
    layer: Descriptor,
    pins: PinSet,
    *,
    execution: ExecutionConfiguration,
    step: History,
) -> str:
    """The manifest of an image with one more layer and another configuration."""
    configuration = msgspec.structs.replace(
        base.configuration,
        created=step.created,
        author=step.author,
        comment=step.comment,
        config=execution,
        rootfs=RootFilesystem(diff_ids=(*base.diff_ids, layer.digest)),
        history=(*base.configuration.history, step),
    )
    return store.add_manifest(configuration, (*base.manifest.layers, layer), pins)


def image_of_layers(
    store: ImageStore,
    layers: Sequence[Descriptor],
    pins: PinSet,
    *,
    platform: Platform,
    execution: ExecutionConfiguration,
    step: History,
) -> str:
    """The manifest of an image of plain layers alone."""
    configuration = ImageConfiguration(
        created=step.created,
        comment=step.comment,
        architecture=platform.architecture,
        variant=platform.variant,
        os=platform.os,
        config=execution,
        rootfs=RootFilesystem(diff_ids=tuple(layer.digest for layer in layers)),
        history=(step,),
    )
    return store.add_manifest(configuration, layers, pins)
