"""Sets of field paths in the form of FieldsV1 (structured-merge-diff, `fieldpath`).

A set is a tree of dicts whose keys are path elements: `f:NAME` a field, `k:{...}` the item of a
list with these keys, `v:VALUE` the item of a list that is a set, `i:INDEX` an item by place. A
path is in the set when its last dict is empty or holds a "." beside further elements. The tree
is at once what is stored; nothing here ever changes one, so results share parts with arguments.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

FieldSet = dict[str, Any]

MEMBER = "."
_encode = msgspec.json.Encoder().encode
_MAXIMUM_DEPTH = 200


class InvalidFieldSet(ValueError):
    """Not a field set in its version 1."""


def is_member(node: FieldSet) -> bool:
    """Whether the path that leads to a node is itself in the set."""
    return not node or MEMBER in node


def union(one: FieldSet, other: FieldSet) -> FieldSet:
    """What is in either; the root of a set is no member, so empty ones add nothing."""
    return _united(one, other) if one and other else one or other


def _united(one: FieldSet, other: FieldSet) -> FieldSet:
    result = dict(one)
    for element, child in other.items():
        before = result.get(element)
        if before is None or element == MEMBER:
            result[element] = child
        elif before is not child:
            result[element] = _united_nodes(before, child)
    return _ordered(result) if len(result) > len(one) else result


def _united_nodes(one: FieldSet, other: FieldSet) -> FieldSet:
    if not one or not other:
        present = one or other
        return {MEMBER: {}, **present} if present and MEMBER not in present else present
    return _united(one, other)


def difference(one: FieldSet, other: FieldSet) -> FieldSet:
    """The paths of `one` that are not in `other`; a path says nothing of those below it."""
    if not one or not other:
        return one
    return _difference(one, other, member=False) or {}


def _difference(one: FieldSet, other: FieldSet, *, member: bool) -> FieldSet | None:
    """`member` says whether the path to this node stays; None when nothing does."""
    result: FieldSet = {}
    for element, child in one.items():
        if element == MEMBER:
            continue
        taken = other.get(element)
        if taken is None:
            result[element] = child
            continue
        stays = is_member(child) and not is_member(taken)
        left = _difference(child, taken, member=stays)
        if left is not None:
            result[element] = left
    return _node(result, member=member)


def intersection(one: FieldSet, other: FieldSet) -> FieldSet:
    """The paths that are in both."""
    return _intersection(one, other, member=False) or {}


def _intersection(one: FieldSet, other: FieldSet, *, member: bool) -> FieldSet | None:
    result: FieldSet = {}
    for element, child in one.items():
        if element == MEMBER:
            continue
        same = other.get(element)
        if same is not None:
            both = is_member(child) and is_member(same)
            shared = _intersection(child, same, member=both)
            if shared is not None:
                result[element] = shared
    return _node(result, member=member)


def _node(children: FieldSet, *, member: bool) -> FieldSet | None:
    if not children:
        return {} if member else None
    return {MEMBER: {}, **children} if member else children


def has_path(fields: FieldSet, path: tuple[str, ...]) -> bool:
    """Whether the path made of these elements is in the set."""
    node: FieldSet | None = fields
    for element in path:
        node = node.get(element) if node is not None else None
    return node is not None and is_member(node)


def of_path(path: tuple[str, ...]) -> FieldSet:
    """The set of one path."""
    node: FieldSet = {}
    for element in reversed(path):
        node = {element: node}
    return node


def paths(fields: FieldSet) -> Iterator[tuple[str, ...]]:
    """Every path in the set, in canonical order."""
    for element, child in fields.items():
        if element == MEMBER:
            continue
        if is_member(child):
            yield (element,)
        for rest in paths(child):
            yield (element, *rest)


def render(path: tuple[str, ...]) -> str:
    """`.spec.containers[name="a"].image`, as conflicts show it."""
    return "".join(_rendered(element) for element in path)


def _rendered(element: str) -> str:
    form, _, text = element.partition(":")
    if form == "f":
        return f".{text}"
    if form == "k":
        keys = msgspec.json.decode(text)
        return "[" + ",".join(f"{name}={key_text(value)}" for name, value in keys.items()) + "]"
    return f"[={key_text(msgspec.json.decode(text))}]" if form == "v" else f"[{text}]"


def key_text(value: Any) -> str:
    """A key or its value as it stands in an element."""
    return _encode(value).decode()


def key_element(keys: Mapping[str, Any]) -> str:
    """The element of an item whose keys, sorted by name, are these."""
    return "k:" + key_text(keys)


def value_element(value: Any) -> str:
    """The element of an item of a set."""
    return "v:" + key_text(value)


def decode(tree: Any) -> FieldSet:
    """A field set that somebody else wrote, in canonical form. Raises InvalidFieldSet."""
    if not isinstance(tree, dict):
        raise InvalidFieldSet("a field set is an object")
    return _decoded(tree, 0)


def _decoded(tree: Mapping[str, Any], depth: int) -> FieldSet:
    if depth > _MAXIMUM_DEPTH:
        raise InvalidFieldSet("the field set is nested too deeply")
    result: FieldSet = {}
    for element, child in tree.items():
        if not isinstance(child, dict):
            raise InvalidFieldSet(f"{element}: not an object")
        result[_canonical(element)] = _decoded(child, depth + 1)
    if result.keys() == {MEMBER}:
        return {}
    return _ordered(result)


def _canonical(element: str) -> str:
    form, separator, text = element.partition(":")
    if element == MEMBER:
        return element
    if not separator or form not in ("f", "k", "v", "i"):
        raise InvalidFieldSet(f"unsupported path element {element[:80]!r}")
    if form == "f":
        return element
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidFieldSet(f"{element[:80]}: {error}") from error
    if form == "i":
        return f"i:{int(text)}" if type(value) is int else _refuse(element)
    if form == "v":
        return value_element(value)
    return key_element(dict(sorted(value.items()))) if type(value) is dict else _refuse(element)


def _refuse(element: str) -> str:
    raise InvalidFieldSet(f"{element[:80]}: not the value that it should hold")


def _ordered(node: FieldSet) -> FieldSet:
    """The node with its elements in canonical order: "." first, then f:, k:, v: and i:."""
    return {element: node[element] for element in in_order(node)}


def in_order(elements: Mapping[str, Any]) -> list[str]:
    """Elements of one place in canonical order; numbers in keys are compared as such."""
    ordered = sorted(elements)
    # What is no field sorts behind all fields; without such the order is that of the text.
    if ordered and not ordered[-1].startswith(("f:", MEMBER)):
        ordered.sort(key=_rank)
    return ordered


def _rank(element: str) -> tuple[Any, ...]:
    form, _, text = element.partition(":")
    if element == MEMBER:
        return (0,)
    if form == "f":
        return (1, text)
    value = msgspec.json.decode(text)
    if form == "k":
        return (2, *((name, *_value_rank(it)) for name, it in value.items()))
    return (3, *_value_rank(value)) if form == "v" else (4, value)


def _value_rank(value: Any) -> tuple[int, Any]:
    """Values of different types have an order of types; of composed ones their text counts."""
    if isinstance(value, bool):
        return (2, value)
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    return (5, "") if value is None else (3, key_text(value))
