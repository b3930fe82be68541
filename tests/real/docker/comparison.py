"""Two answers side by side: what differs in shape or in value, path by path."""

import re
from collections.abc import Iterator
from typing import Any

# Values that are another in each engine and at each time; their type must be the same.
_VOLATILE = re.compile(
    r"^(?:sha256:)?[0-9a-f]{12,64}$|^\d{4}-\d\d-\d\dT|^[0-9a-f:]{17}$|^/(?:var|run|tmp|home|proc)/"
    r"|^\d+\.\d+\.\d+\.\d+(?:/\d+)?$"
)


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """`path: what is different`; the items of lists are compared in their order."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        yield from _of_objects(ours, theirs, path)
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{path}: {len(ours)} items, Docker has {len(theirs)}"
        for ours_one, theirs_one in zip(ours, theirs, strict=False):
            yield from differences(ours_one, theirs_one, f"{path}[]")
    elif type(ours) is not type(theirs) or (ours != theirs and not _is_volatile(ours, theirs)):
        yield f"{path}: {ours!r}, Docker has {theirs!r}"


def _of_objects(ours: dict[str, Any], theirs: dict[str, Any], path: str) -> Iterator[str]:
    named = _with_volatile_keys(ours), _with_volatile_keys(theirs)
    for name in named[0].keys() | named[1].keys():
        place = f"{path}.{name}"
        if name not in named[0]:
            yield f"{place}: missing, Docker has {named[1][name]!r}"
        elif name not in named[1]:
            yield f"{place}: {named[0][name]!r}, Docker has none"
        else:
            yield from differences(named[0][name], named[1][name], place)


def _with_volatile_keys(tree: dict[str, Any]) -> dict[str, Any]:
    return {"<id>" if _VOLATILE.match(name) else name: value for name, value in tree.items()}


def _is_volatile(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, str):
        return bool(_VOLATILE.match(ours) and _VOLATILE.match(theirs))
    return isinstance(ours, int) and not isinstance(ours, bool) and abs(ours) > 1000
