"""The tree of an expression. Macros have nodes of their own instead of being spelled out.

Each node knows where it stands in the text, and how high the tree under it is.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

MAXIMUM_HEIGHT = 150

MacroName = Literal[
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
    "transformList",
    "transformMap",
    "transformMapEntry",
]


class Constant(msgspec.Struct, frozen=True):
    offset: int
    value: Any


class Identifier(msgspec.Struct, frozen=True):
    offset: int
    name: str


class Select(msgspec.Struct, frozen=True):
    """`operand.field`, `operand.?field`, or with `tests` `has(operand.field)`."""

    offset: int
    operand: "Node"
    field: str
    optional: bool = False
    tests: bool = False
    height: int = 1


class Index(msgspec.Struct, frozen=True):
    """`operand[key]` or `operand[?key]`."""

    offset: int
    operand: "Node"
    key: "Node"
    optional: bool = False
    height: int = 1


class Call(msgspec.Struct, frozen=True):
    """A function, or with a `target` a method; operators are functions named `_+_`."""

    offset: int
    function: str
    target: "Node | None"
    arguments: tuple["Node", ...]
    height: int = 1


class Logical(msgspec.Struct, frozen=True):
    """A chain of `&&` or of `||`."""

    offset: int
    is_and: bool
    terms: tuple["Node", ...]
    height: int = 1


class Conditional(msgspec.Struct, frozen=True):
    offset: int
    condition: "Node"
    then: "Node"
    otherwise: "Node"
    height: int = 1


class ListLiteral(msgspec.Struct, frozen=True):
    """The elements, each with whether it is optional."""

    offset: int
    elements: tuple[tuple["Node", bool], ...]
    height: int = 1


class Entry(msgspec.Struct, frozen=True):
    key: "Node"
    value: "Node"
    optional: bool


class MapLiteral(msgspec.Struct, frozen=True):
    offset: int
    entries: tuple[Entry, ...]
    height: int = 1


class StructLiteral(msgspec.Struct, frozen=True):
    """`Name{field: value}`."""

    offset: int
    name: str
    entries: tuple[tuple[str, "Node", bool], ...]
    height: int = 1


class Macro(msgspec.Struct, frozen=True):
    """A loop over a list or a map. `second` is empty where there is one variable. `filter_by`
    is the condition of `map` and the transformations, `body` what is made of each."""

    offset: int
    name: MacroName
    range: "Node"
    first: str
    second: str
    filter_by: "Node | None"
    body: "Node"
    height: int = 1


class Bind(msgspec.Struct, frozen=True):
    """`cel.bind(name, value, body)`."""

    offset: int
    name: str
    value: "Node"
    body: "Node"
    height: int = 1


class OptionalMap(msgspec.Struct, frozen=True):
    """`target.optMap(name, body)`, or with `flat` optFlatMap."""

    offset: int
    target: "Node"
    name: str
    body: "Node"
    flat: bool
    height: int = 1


Node = (
    Constant
    | Identifier
    | Select
    | Index
    | Call
    | Logical
    | Conditional
    | ListLiteral
    | MapLiteral
    | StructLiteral
    | Macro
    | Bind
    | OptionalMap
)


def children(node: Node) -> Iterator[Node]:
    """The nodes right under a node."""
    for name in node.__struct_fields__:
        yield from _nodes_in(getattr(node, name))


def _nodes_in(value: Any) -> Iterator[Node]:
    if isinstance(value, tuple):
        for it in value:
            yield from _nodes_in(it)
    elif isinstance(value, Entry):
        yield value.key
        yield value.value
    elif isinstance(value, Node):
        yield value


def height_of(node: "Node | None") -> int:
    """1 for a leaf."""
    return 0 if node is None else getattr(node, "height", 1)
