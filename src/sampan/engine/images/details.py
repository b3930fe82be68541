"""What is told of an image: its details and its history, out of its documents."""

from collections.abc import Iterator
from itertools import islice, zip_longest

import msgspec

from sampan.engine.images.contract import HistoryEntry, ImageDetail, LayerDetail
from sampan.engine.images.documents import Descriptor
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.reference import familiar
from sampan.engine.images.store import ImageStore, StoredImage, seconds_of

_MISSING = "<missing>"


def detail_of(store: ImageStore, image: StoredImage) -> ImageDetail:
    """Everything that `docker image inspect` tells. Raises InvalidImage."""
    manifests = store.same(image)
    names = store.names
    tags = names.tags_of(manifests)
    targets = [names.tags[tag] for tag in tags]
    configuration = image.configuration
    layers = layers_of(store, image)
    target = targets[0] if targets else store.target(image.digest)
    return ImageDetail(
        identifier=image.identifier,
        tags=tuple(familiar(tag) for tag in tags),
        digests=tuple(familiar(name) for name in names.digests_of(manifests)),
        parent=store.lineage.parent_of(image.identifier),
        comment=configuration.comment or _last_comment(image),
        author=configuration.author,
        created=configuration.created,
        tagged=max((it.tagged for it in targets), default=0),
        architecture=configuration.architecture,
        variant=configuration.variant,
        os=configuration.os,
        os_version=configuration.os_version,
        size=sum(layer.size for layer in layers),
        execution=configuration.execution,
        layers=layers,
        folders=tuple(str(path) for path in store.layers.folders(image.diff_ids)),
        target=Descriptor(media_type=target.media_type, digest=target.digest, size=target.size),
        containers=store.leases.holders(manifests),
        is_intermediate=store.lineage.is_intermediate(image.identifier),
    )


def layers_of(store: ImageStore, image: StoredImage) -> tuple[LayerDetail, ...]:
    """From the bottom up. A layer that was never unpacked counts with its compressed size."""
    chain = chain_identifiers(image.diff_ids)
    return tuple(
        LayerDetail(
            diff_id=diff_id,
            chain=identifier,
            size=store.layers.size(identifier)
            if store.layers.is_unpacked(identifier)
            else layer.size,
        )
        for diff_id, identifier, layer in zip(
            image.diff_ids, chain, image.manifest.layers, strict=False
        )
    )


def history_of(store: ImageStore, image: StoredImage) -> list[HistoryEntry]:
    """The newest step first. Steps and layers are matched in order, as builders write them; a
    builder that keeps no history still made layers, which come before all others."""
    sizes = [layer.size for layer in layers_of(store, image)]
    steps = image.configuration.history
    untold = len(sizes) - sum(not step.empty_layer for step in steps)
    entries = [
        HistoryEntry(identifier=_MISSING, created=0, created_by="", size=size, comment="")
        for size in sizes[: max(0, untold)]
    ]
    following = iter(sizes[max(0, untold) :])
    entries += [
        HistoryEntry(
            identifier=_MISSING,
            created=seconds_of(step.created),
            created_by=step.created_by,
            size=0 if step.empty_layer else next(following, 0),
            comment=step.comment,
        )
        for step in steps
    ]
    entries.reverse()
    return [
        msgspec.structs.replace(entry, identifier=made.identifier, tags=_tags(store, made))
        if made is not None
        else entry
        for entry, made in zip_longest(entries, islice(_line(store, image), len(entries)))
    ]


def _line(store: ImageStore, image: StoredImage) -> Iterator[StoredImage]:
    """An image and those that it was made from, as far as they are here."""
    known: StoredImage | None = image
    while known is not None:
        yield known
        known = store.identified(store.lineage.parent_of(known.identifier))


def _tags(store: ImageStore, image: StoredImage) -> tuple[str, ...]:
    return tuple(familiar(tag) for tag in store.names.tags_of(store.same(image)))


def _last_comment(image: StoredImage) -> str:
    history = image.configuration.history
    return history[-1].comment if history else ""
