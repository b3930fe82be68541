"""What a value in an object was before the object was changed.

Members are found by their names, items of lists of type map by their keys; other lists don't
tell what an item was (k8s.io/apiserver `pkg/cel/common`, CorrelatedObject).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from sampan.kubernetes.schema.structural import Structural

Old = tuple[Any] | None
"""The value before, in a tuple; None where there was none, or nothing tells which it was."""


def is_unchanged(value: Any, old: Old) -> bool:
    """Whether a value is what it was."""
    # Python takes True for 1; JSON doesn't.
    return old is not None and old[0] == value and _sorted(old[0]) == _sorted(value)


def member_before(old: Old, key: str) -> Old:
    """What a member of an object was."""
    if old is None or type(old[0]) is not dict or old[0].get(key) is None:
        return None
    return (old[0][key],)


def items_before(schema: Structural, old: Old) -> Callable[[Any], Old]:
    """For each item of a list, what it was."""
    if schema.list_type != "map" or old is None or type(old[0]) is not list:
        return lambda _item: None
    known = {mark: item for item in old[0] if (mark := _mark(schema, item)) is not None}

    def before(item: Any) -> Old:
        mark = _mark(schema, item)
        return (known[mark],) if mark is not None and mark in known else None

    return before


def _sorted(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _mark(schema: Structural, item: Any) -> bytes | None:
    if type(item) is not dict:
        return None
    return msgspec.json.encode([item.get(key) for key in schema.list_map_keys])
