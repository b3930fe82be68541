"""Which images a list shows or a prune takes. Pure."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import msgspec

from sampan.engine.contract import ImageNotFound
from sampan.engine.images.contract import ImageDetail
from sampan.faces.dockerapi import times
from sampan.faces.dockerapi.filters import Filters
from sampan.faces.dockerapi.image_documents import created_seconds

KNOWN = frozenset(["before", "dangling", "label", "label!", "reference", "since", "until"])
_PRUNE = frozenset(["dangling", "label", "label!", "until"])


def chosen(
    images: Sequence[ImageDetail], filters: Filters, now: int, *, every: bool = False
) -> list[ImageDetail]:
    """Those to be shown, the newest first; with `every`, intermediate ones as well.

    Raises InvalidConfiguration, ImageNotFound.
    """
    filters.check(KNOWN)
    dangling = filters.flag("dangling")
    before = _named(images, filters.one("before"))
    since = _named(images, filters.one("since"))
    until = times.read(filters.one("until"), now)
    found = [
        image
        for image in images
        if not (image.is_intermediate and (dangling or not every))
        and (dangling is None or dangling is not bool(image.tags))
        and (before is None or image.created < before.created)
        and (since is None or image.created > since.created)
        and (not until or times.read(image.created, now) < until)
        and filters.labels(image.execution.labels)
    ]
    if "reference" in filters:
        patterns = filters.values("reference")
        narrowed = (_with_references(image, patterns) for image in found)
        found = [image for image in narrowed if image.tags or image.digests]
    return sorted(found, key=created_seconds, reverse=True)


def _named(images: Sequence[ImageDetail], reference: str) -> ImageDetail | None:
    if not reference:
        return None
    for image in images:
        names = (*image.tags, *image.digests, image.identifier)
        bare = image.identifier.partition(":")[2]
        if reference in names or f"{reference}:latest" in names or bare.startswith(reference):
            return image
    raise ImageNotFound(f"No such image: {reference[:200]}")


def _with_references(image: ImageDetail, patterns: Sequence[str]) -> ImageDetail:
    """The image with those of its names alone that are asked for."""

    def fitting(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(
            name for name in names if any(fits_reference(name, pattern) for pattern in patterns)
        )

    return msgspec.structs.replace(image, tags=fitting(image.tags), digests=fitting(image.digests))


def fits_reference(name: str, pattern: str) -> bool:
    """Whether a name, with its tag or without, has a pattern as the shell knows them; a star
    ends at a slash."""
    repository = name.partition("@")[0]
    head, colon, tag = repository.rpartition(":")
    if colon and "/" not in tag:
        repository = head
    return any(_fits_parts(one.split("/"), pattern.split("/")) for one in (name, repository))


def _fits_parts(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def kept(filters: Filters, now: int) -> Callable[[ImageDetail], bool]:
    """Which images a prune leaves. Raises InvalidConfiguration."""
    filters.check(_PRUNE)
    only_dangling = filters.flag("dangling", default=True)
    until = times.read(filters.one("until"), now)

    def keeps(image: ImageDetail) -> bool:
        return (
            bool(only_dangling and image.tags)
            or bool(until and times.read(image.created, now) >= until)
            or not filters.labels(image.execution.labels)
        )

    return keeps
