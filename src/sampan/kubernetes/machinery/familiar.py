"""What was found out about equal values before, by their JSON.

Pods come from templates: a thousand of them hold the same spec, and what is true of one is true
of all. The work on a value is then an encoding and a look-up. Only for what follows from the
value alone; whoever gets a result shares it and must not change it.

A tree that many hold at once and that nobody changes can be kept, and isn't even encoded again.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

_MOST = 512
_LARGEST = 16 * 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_Result = TypeVar("_Result")
# By identity, which stays theirs as long as they are here.
_kept: dict[int, tuple[Any, bytes]] = {}


def keep(tree: Any) -> bytes:
    """The JSON of a tree that nobody changes any more, which is then known until it is
    released."""
    key = _encode(tree)
    _kept[id(tree)] = (tree, key)
    return key


def release(tree: Any) -> None:
    """Know no more of a tree than of others."""
    _kept.pop(id(tree), None)


def encoded(value: Any) -> bytes:
    """The key of a value; empty for one that is too large to be remembered."""
    kept = _kept.get(id(value))
    key = kept[1] if kept is not None else _encode(value)
    return key if len(key) <= _LARGEST else b""


def remembering(work: Callable[[Any], _Result]) -> Callable[[Any], _Result]:
    """The same function, which remembers its last results."""

    @lru_cache(maxsize=_MOST)
    def by_key(key: bytes) -> _Result:
        return work(_decode(key))

    def remembered(value: Any) -> _Result:
        key = encoded(value)
        return by_key(key) if key else work(value)

    return remembered


class Familiar:
    """Values that were found to be right, the last ones of them."""

    def __init__(self) -> None:
        self._keys: dict[bytes, None] = {}

    def __contains__(self, key: bytes) -> bool:
        return key in self._keys

    def add(self, key: bytes) -> None:
        self._keys[key] = None
        if len(self._keys) > _MOST:
            del self._keys[next(iter(self._keys))]
