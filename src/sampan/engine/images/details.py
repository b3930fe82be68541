"""What is told of an image: its details and its history, out of its documents."""

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
    known = [names.images[manifest] for manifest in manifests]
    target = targets[0] if targets else store.target(image.digest)
    return ImageDetail(
        identifier=image.identifier,
        tags=tuple(familiar(tag) for tag in tags),
        digests=tuple(familiar(name) for name in names.digests_of(manifests)),
        parent=next((it.parent for it in known if it.parent), ""),
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
    tags = tuple(familiar(tag) for tag in store.names.tags_of(store.same(image)))
    if not entries:
        return entries
    first = entries[0]
    entries[0] = HistoryEntry(
        identifier=image.identifier,
        created=first.created,
        created_by=first.created_by,
        size=first.size,
        comment=first.comment,
        tags=tags,
    )
    return entries


def _last_comment(image: StoredImage) -> str:
    history = image.configuration.history
    return history[-1].comment if history else ""
