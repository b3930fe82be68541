"""What a write does to a key: pure, and the same for every store.

Knows neither files nor the loop: the key's current entry and the next revision are arguments.
"""

import msgspec

from sampan.store.contract import Change, Conflict, Entry


class Write(msgspec.Struct, frozen=True):
    """One wish to change a key; `value` is None for a deletion.

    `expected` is the revision that the key must have: 0 for "absent", None for "whatever".
    """

    key: bytes
    value: bytes | None
    expected: int | None = None


def decide(write: Write, current: Entry | None, revision: int) -> Change | None:
    """The change that `write` makes at `revision`; None when there is nothing to delete.

    Raises Conflict when the key is not as expected.
    """
    found = 0 if current is None else current.revision
    if write.expected is not None and write.expected != found:
        raise Conflict(write.key, current)
    if write.value is None and current is None:
        return None
    created = revision if current is None else current.created
    return Change(write.key, write.value, revision, created, current)


def entry_of(change: Change) -> Entry | None:
    """What the key holds after `change`."""
    if change.value is None:
        return None
    return Entry(change.key, change.value, change.revision, change.created)


def prefix_end(prefix: bytes) -> bytes | None:
    """The first key after all that start with `prefix`; None when there can be none."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes((trimmed[-1] + 1,)) if trimmed else None
