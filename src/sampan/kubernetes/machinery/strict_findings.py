"""What a strict decoder objects to in a JSON body, in the order of the body.

The order and what is told of a field that is both unknown and named twice (that it is unknown)
are those of sigs.k8s.io/json, whose findings clients compare as text.
"""

import json
from collections.abc import Collection, Iterator
from typing import Any

from sampan.kubernetes.machinery import status


class _Pairs(list[tuple[str, Any]]):
    """An object with all its pairs."""


def in_order(body: bytes, unknown: Collection[str]) -> list[str]:
    """Each finding once: the fields that are `unknown`, by their paths, and those named twice.

    The body has been decoded before, so that its depth is known to be bounded.
    """
    left, found = set(unknown), dict[str, None]()
    waiting = [_children("", json.loads(body, object_pairs_hook=_Pairs))]
    while waiting:
        for path, value, is_second in waiting[-1]:
            if path in unknown:
                if path in left:
                    left.discard(path)
                    found[status.unknown_field(path)] = None
                continue
            if is_second:
                found[status.duplicate_field(path)] = None
            if isinstance(value, list):
                waiting.append(_children(path, value))
                break
        else:
            waiting.pop()
    return list(found)


def _children(path: str, value: Any) -> Iterator[tuple[str, Any, bool]]:
    """The members of a value with their paths, and whether their name came before."""
    if isinstance(value, _Pairs):
        seen = set[str]()
        for name, member in value:
            yield f"{path}.{name}".removeprefix("."), member, name in seen
            seen.add(name)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield f"{path}[{index}]", member, False
