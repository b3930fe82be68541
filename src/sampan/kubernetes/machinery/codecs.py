"""JSON bodies to trees and back, safely: depth is bounded, and keys that come twice are seen."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

MAXIMUM_DEPTH = 256

_AFTER_KEY = b":"
_ESCAPED_COLONS = (b"\\u003a", b"\\u003A")

encode = msgspec.json.Encoder().encode
"""A tree as JSON."""


class InvalidBody(ValueError):
    """The body can't be decoded; the answer is 400."""


class Decoded(msgspec.Struct, frozen=True):
    """A tree, and the paths of fields that the body names twice (the last value counts).

    `complaints` tell the same of YAML, in the words of those who read it by line.
    """

    tree: Any
    duplicates: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()


def decode_json(body: bytes, *, report_duplicates: bool = True) -> Decoded:
    """Any JSON value; raises InvalidBody."""
    try:
        tree = msgspec.json.decode(body)
    except RecursionError as error:
        raise InvalidBody("the body is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidBody(f"couldn't get version/kind; json parse error: {error}") from error
    brackets = body.count(b"{") + body.count(b"[")
    if brackets > MAXIMUM_DEPTH and depth_exceeds(tree, MAXIMUM_DEPTH):
        raise InvalidBody("the body is nested too deeply")
    if report_duplicates and _may_repeat(body, tree):
        return Decoded(tree, _duplicates(body))
    return Decoded(tree)


def decode_object(body: bytes, *, report_duplicates: bool = True) -> Decoded:
    """A JSON object; raises InvalidBody."""
    decoded = decode_json(body, report_duplicates=report_duplicates)
    if not isinstance(decoded.tree, dict):
        raise InvalidBody("couldn't get version/kind; the body is not a JSON object")
    return decoded


def depth_exceeds(tree: Any, maximum: int) -> bool:
    """Whether objects and lists are nested more than `maximum` deep; never recurses."""
    level = [tree]
    for _ in range(maximum + 1):
        level = [value for node in level for value in _members(node)]
        if not level:
            return False
    return True


def _members(node: Any) -> Iterable[Any]:
    if type(node) is dict:
        return node.values()
    return node if type(node) is list else ()


def _may_repeat(body: bytes, tree: Any) -> bool:
    """Whether a key may come twice; never wrong when it says no, and quick.

    A colon follows each key, so the body has as many as the tree's own JSON, which names each
    key once; texts have the same in both. Only an escaped colon could make the body look as if
    it had fewer.
    """
    if b"\\" in body and any(colon in body for colon in _ESCAPED_COLONS):
        return True
    return body.count(_AFTER_KEY) != encode(tree).count(_AFTER_KEY)


class _Pairs(dict[str, Any]):
    """An object that remembers which of its keys came twice."""

    twice: tuple[str, ...] = ()


def _remember(pairs: list[tuple[str, Any]]) -> _Pairs:
    found = _Pairs(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        found.twice = tuple(sorted(key for key, count in counts.items() if count > 1))
    return found


def _duplicates(body: bytes) -> tuple[str, ...]:
    found: list[str] = []
    waiting = [("", json.loads(body, object_pairs_hook=_remember))]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, _Pairs):
            found += [f"{path}.{key}".removeprefix(".") for key in node.twice]
            waiting += [(f"{path}.{key}", value) for key, value in node.items()]
        elif isinstance(node, list):
            waiting += [(f"{path}[{index}]", value) for index, value in enumerate(node)]
    return tuple(found)
