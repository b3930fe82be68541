"""JSON trees that begin as something valid and are then spoiled in a few places."""

import json
from random import Random
from typing import Any

from hypothesis import strategies as st

TEXTS = (
    *("", "a", "../x", "a/b", "a\0b", "\n", "\ud800", "é", "💥", "%2e%2e", "0", "-1", "1e9999"),
    *("x" * 300, "y" * 70_000, "{}", "[", "$(HOME)", "*", "null", "100%", "1Gi", "-0"),
    *("2026-11-23T12:00:00Z", "9999-99-99T99:99:99Z", "10.0.0.1", "::/0", "a=b,c in (", "=="),
)
NUMBERS = (0, 1, -1, 7, 65536, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 2**200, 0.5, -0.0, 1e308)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [None], [[]], {"": ""}, {"a": None})
FIELDS = ("metadata", "spec", "status", "name", "kind", "apiVersion", "items", "", "a", "$patch")
FINALIZERS = {"finalizers": ["kubernetes", "a/b"], "deletionTimestamp": "2026-11-23T12:00:00Z"}
METADATA: tuple[Any, ...] = (
    {"name": "x", "managedFields": [{"manager": "a", "fieldsV1": {"f:x": 1}}]},
    {"generateName": "x-", "ownerReferences": [{"uid": "1"}]},
    {"name": "x", "resourceVersion": "abc", "uid": "no", "creationTimestamp": "now"},
    {"name": "x", **FINALIZERS, "generation": -1, "selfLink": 5},
)


def leaf(random: Random) -> Any:
    """Any value that means trouble."""
    if random.random() < 0.02:
        return deep(random.choice((30, 150, 500)))
    if random.random() < 0.1:
        return random.choice(METADATA)
    return random.choice(random.choice((TEXTS, NUMBERS, OTHERS)))


def deep(levels: int) -> Any:
    """A value with so many levels."""
    tree: Any = 1
    for _ in range(levels):
        tree = {"a": tree}
    return tree


def spoiled(tree: Any, random: Random, times: int) -> Any:
    """A copy with that many changes."""
    copy = _copied(tree)
    for _ in range(times):
        copy = _spoiled_once(copy, random)
    return copy


def _spoiled_once(tree: Any, random: Random) -> Any:
    places = _places(tree)
    if not places:
        return _copied(leaf(random))
    holder, key = random.choice(places)
    match random.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[random.choice((*FIELDS, *TEXTS[:8]))] = _copied(leaf(random))
        case 2 if isinstance(holder, list):
            holder.append(_copied(holder[key]))
        case 3:
            other, its_key = random.choice(places)
            holder[key] = _copied(other[its_key]) if its_key in _keys(other) else None
        case _:
            holder[key] = _copied(leaf(random))
    return tree


def _copied(value: Any) -> Any:
    """Values are copied lest a tree come to hold itself."""
    return json.loads(json.dumps(value)) if isinstance(value, dict | list) else value


def _keys(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Where something stands: holders, and the keys or indexes in them."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting and len(found) < 5000:
        holder = waiting.pop()
        if isinstance(holder, dict | list):
            keys = list(_keys(holder))
            found += [(holder, key) for key in keys]
            waiting += [holder[key] for key in keys]
    return found


def spoiled_bytes(data: bytes, random: Random, times: int) -> bytes:
    """The same of encoded bodies: flipped, cut out, doubled and cut off."""
    for _ in range(times):
        if not data:
            return data
        at = random.randrange(len(data))
        length = random.choice((1, 1, 4, 30))
        match random.randrange(5):
            case 0:
                data = data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[at + length :]
            case 2:
                data = data[:at] + data[at : at + length] * 2 + data[at + length :]
            case 3:
                data = data[:at]
            case _:
                data = data[:at] + random.randbytes(length) + data[at + length :]
    return data


randoms = st.integers(0, 2**32 - 1).map(Random)
