"""What removing an image takes away, or why it may not be removed. Pure.

The rules and the words are Docker's: a name goes by itself as long as others are left; the last
name takes the image along unless something needs it; an identifier takes all names along if
they are of one repository.
"""

from collections.abc import Iterator

import msgspec

from sampan.engine.contract import ImageInUse

_SHOWN = 12


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An image, its names, and who needs it: images made from it, containers."""

    identifier: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    has_children: bool = False
    running: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.tags, *self.digests)

    @property
    def has_one_name(self) -> bool:
        return len(self.tags) <= 1 and len({repository_of(name) for name in self.names}) <= 1


class Removal(msgspec.Struct, frozen=True):
    """The names that go, and whether the image goes with them."""

    names: tuple[str, ...]
    is_whole: bool


def plan_removal(reference: str, name: str, image: Standing, *, force: bool) -> Removal:
    """For a reference that is the full name `name`, or an identifier if that is "".

    Raises ImageInUse.
    """
    if not name:
        reason = _obstacle(image, force=force, names_matter=not image.has_one_name)
        if reason:
            raise ImageInUse(f"conflict: unable to delete {_short(image.identifier)} {reason}")
        return Removal(image.names, True)
    holder = next(iter((*image.running, *image.stopped)), "")
    if holder and image.has_one_name and not force:
        raise ImageInUse(
            f'conflict: unable to remove repository reference "{reference}" (must force) - '
            f"container {holder[:_SHOWN]} is using its referenced image {_short(image.identifier)}"
        )
    gone = (name, *_orphaned_digests(name, image))
    is_last = set(image.names) <= set(gone)
    return Removal(gone, is_last and not _obstacle(image, force=force, names_matter=False))


def may_go_with_child(parent: Standing) -> bool:
    """Whether an image that only served to make another one goes when that one has gone."""
    return not parent.names and not _obstacle(parent, force=False, names_matter=True)


def repository_of(name: str) -> str:
    """Of `repository:tag` or `repository@digest`."""
    return name.partition("@")[0] if "@" in name else name.rpartition(":")[0]


def _orphaned_digests(name: str, image: Standing) -> Iterator[str]:
    """With the last tag of a repository, its digests go as well."""
    repository = repository_of(name)
    tags = {tag for tag in image.tags if repository_of(tag) == repository}
    if tags == {name}:
        yield from (digest for digest in image.digests if repository_of(digest) == repository)


def _obstacle(image: Standing, *, force: bool, names_matter: bool) -> str:
    if image.has_children:
        return "(cannot be forced) - image has dependent child images"
    if image.running:
        container = image.running[0][:_SHOWN]
        return f"(cannot be forced) - image is being used by running container {container}"
    if force:
        return ""
    if names_matter and image.names:
        return "(must be forced) - image is referenced in multiple repositories"
    if image.stopped:
        container = image.stopped[0][:_SHOWN]
        return f"(must be forced) - image is being used by stopped container {container}"
    return ""


def _short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:_SHOWN]
