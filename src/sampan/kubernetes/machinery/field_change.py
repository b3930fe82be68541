"""What differs between two values, as sets of the paths that were added, changed and removed."""

import msgspec

from sampan.kubernetes.machinery.field_set import MEMBER, FieldSet


class InvalidItems(ValueError):
    """The items of a list can't be told apart. The text begins with what is wrong."""


class Change(msgspec.Struct):
    """What differs between two values."""

    added: FieldSet = {}
    modified: FieldSet = {}
    removed: FieldSet = {}

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.removed)


def note(element: str, inner: Change, change: Change) -> None:
    """Put what differs below an element into what differs round it."""
    if inner.added:
        change.added[element] = inner.added
    if inner.modified:
        change.modified[element] = inner.modified
    if inner.removed:
        change.removed[element] = inner.removed


def without_itself(node: FieldSet) -> FieldSet:
    """The paths below a node, without the one that leads to it."""
    return {element: child for element, child in node.items() if element != MEMBER}
