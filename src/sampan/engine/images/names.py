"""Which images there are and what they are called: an OCI layout's `index.json`.

Every image has an entry of its own, named or not; each name is one more entry. A name is
`repository:tag`, or `repository@digest` as a registry knows it. The functions are pure; what
the digests lead to is not known here.
"""

from collections.abc import Iterator, Mapping

import msgspec

from sampan.engine.images.documents import (
    IMAGE_NAME_ANNOTATION,
    MANIFEST_TYPE,
    REFERENCE_ANNOTATION,
    Descriptor,
    Index,
)

_REPOSITORY = "dev.sampan.repository"
_IMAGE = "dev.sampan.image"
_PARENT = "dev.sampan.parent"
_TAGGED = "dev.sampan.tagged"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a name leads to: a manifest, or an index of which the manifest `image` was chosen."""

    digest: str
    media_type: str = MANIFEST_TYPE
    size: int
    image: str
    tagged: float = 0


class KnownImage(msgspec.Struct, frozen=True):
    """The size of an image's manifest, its type, and the identifier of its parent or ""."""

    size: int
    media_type: str = MANIFEST_TYPE
    parent: str = ""


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """`tags` by `repository:tag`, `digests` by `repository@digest`, `images` by manifest."""

    tags: Mapping[str, Target] = {}
    digests: Mapping[str, Target] = {}
    images: Mapping[str, KnownImage] = {}

    def with_images(self, fresh: Mapping[str, KnownImage]) -> "Names":
        """Further images by their manifests; those that are there stay as they are."""
        return msgspec.structs.replace(self, images={**fresh, **self.images})

    def with_tag(self, name: str, target: Target) -> "Names":
        return msgspec.structs.replace(self, tags={**self.tags, name: target})

    def with_digest(self, name: str, target: Target) -> "Names":
        return msgspec.structs.replace(self, digests={**self.digests, name: target})

    def without_names(self, names: set[str]) -> "Names":
        return msgspec.structs.replace(
            self, tags=_without(self.tags, names), digests=_without(self.digests, names)
        )

    def without_images(self, manifests: set[str]) -> "Names":
        """Neither these images nor any name of theirs."""
        return Names(
            tags={name: it for name, it in self.tags.items() if it.image not in manifests},
            digests={name: it for name, it in self.digests.items() if it.image not in manifests},
            images={key: it for key, it in self.images.items() if key not in manifests},
        )

    def tags_of(self, manifests: set[str]) -> tuple[str, ...]:
        return tuple(sorted(name for name, it in self.tags.items() if it.image in manifests))

    def digests_of(self, manifests: set[str]) -> tuple[str, ...]:
        return tuple(sorted(name for name, it in self.digests.items() if it.image in manifests))

    def targets(self) -> set[str]:
        """The digests of every document that a name leads to."""
        return {it.digest for it in (*self.tags.values(), *self.digests.values())}


def index_of(names: Names) -> Index:
    """The document that keeps the names."""
    return Index(manifests=(*_images(names), *_tags(names), *_digests(names)))


def names_in(index: Index) -> Names:
    """What `index_of` made, or an OCI layout's index with names only."""
    tags: dict[str, Target] = {}
    digests: dict[str, Target] = {}
    images: dict[str, KnownImage] = {}
    for entry in index.manifests:
        notes = entry.annotations
        target = Target(
            digest=entry.digest,
            media_type=entry.media_type,
            size=entry.size,
            image=notes.get(_IMAGE, entry.digest),
            tagged=float(notes.get(_TAGGED, 0)),
        )
        if IMAGE_NAME_ANNOTATION in notes:
            tags[notes[IMAGE_NAME_ANNOTATION]] = target
        elif _REPOSITORY in notes:
            digests[f"{notes[_REPOSITORY]}@{entry.digest}"] = target
        else:
            images[entry.digest] = KnownImage(entry.size, entry.media_type, notes.get(_PARENT, ""))
    for target in tags.values():
        # Before images had entries of their own, a name was all that told of one.
        if target.image == target.digest:
            images.setdefault(target.image, KnownImage(target.size, target.media_type))
    return Names(tags=tags, digests=digests, images=images)


def _images(names: Names) -> Iterator[Descriptor]:
    for manifest, known in sorted(names.images.items()):
        yield Descriptor(
            media_type=known.media_type,
            digest=manifest,
            size=known.size,
            annotations={_PARENT: known.parent} if known.parent else {},
        )


def _tags(names: Names) -> Iterator[Descriptor]:
    for name, target in sorted(names.tags.items()):
        notes = {IMAGE_NAME_ANNOTATION: name, REFERENCE_ANNOTATION: name.rpartition(":")[2]}
        if target.tagged:
            notes[_TAGGED] = repr(target.tagged)
        yield _named(target, notes)


def _digests(names: Names) -> Iterator[Descriptor]:
    for name, target in sorted(names.digests.items()):
        yield _named(target, {_REPOSITORY: name.partition("@")[0]})


def _named(target: Target, notes: dict[str, str]) -> Descriptor:
    if target.image != target.digest:
        notes[_IMAGE] = target.image
    return Descriptor(
        media_type=target.media_type, digest=target.digest, size=target.size, annotations=notes
    )


def _without(names: Mapping[str, Target], gone: set[str]) -> Mapping[str, Target]:
    return {name: target for name, target in names.items() if name not in gone}
