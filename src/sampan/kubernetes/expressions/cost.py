"""What a run may cost at most, reckoned from the sizes that types and literals tell.

Custom resources are held to it when they are defined (per rule 10,000,000, and ten times as
much for all of a schema). A size that no schema bounds is taken for as large as a request.
"""

from collections.abc import Mapping

from sampan.kubernetes.expressions.budget import LARGEST_REQUEST
from sampan.kubernetes.expressions.compiler import LIST_COST, MAP_COST, STRUCT_COST
from sampan.kubernetes.expressions.functions import Language
from sampan.kubernetes.expressions.syntax import (
    Call,
    Conditional,
    Identifier,
    Index,
    ListLiteral,
    Macro,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
    children,
)
from sampan.kubernetes.expressions.types import DYN, Type, accepts, element_of

_MOST = 2**64 - 1
_ROUND = {
    "all": 3,
    "exists": 3,
    "exists_one": 2,
    "filter": 12,
    "map": 12,
    "transformList": 12,
    "transformMap": 32,
    "transformMapEntry": 32,
}
_OWN: dict[type, int] = {
    Identifier: 1,
    Select: 1,
    Index: 1,
    ListLiteral: LIST_COST,
    MapLiteral: MAP_COST,
    StructLiteral: STRUCT_COST,
}
_UNSIZED = frozenset(("int", "uint", "double", "bool", "null_type", "type"))


class Estimator:
    """Walks a checked tree; `types` are the checker's."""

    def __init__(self, language: Language, types: Mapping[int, Type]) -> None:
        self._language = language
        self._types = types
        self._sizes: dict[int, int] = {}

    def of(self, node: Node) -> int:
        """The greatest cost of a run, at most 2^64-1."""
        return min(self._cost(node), _MOST)

    def _type(self, node: Node) -> Type:
        return self._types.get(id(node), DYN)

    def _size(self, node: Node) -> int:
        """The greatest size of what a node gives."""
        known = self._sizes.get(id(node))
        if known is not None:
            return known
        kind = self._type(node)
        if kind.name in _UNSIZED:
            return 1
        return kind.most if kind.most >= 0 else LARGEST_REQUEST

    def _cost(self, node: Node) -> int:
        if isinstance(node, Macro):
            return self._loop(node)
        if isinstance(node, Call):
            return self._call(node)
        if isinstance(node, Conditional):
            branches = max(self._cost(node.then), self._cost(node.otherwise))
            return self._cost(node.condition) + branches
        own = 0 if isinstance(node, Select) and node.tests else _OWN.get(type(node), 0)
        # What the checker gave no type is part of a dotted name.
        return own + sum(self._cost(it) for it in children(node) if id(it) in self._types)

    def _loop(self, node: Macro) -> int:
        rounds = self._size(node.range)
        each = _ROUND[node.name] + self._cost(node.body)
        if node.filter_by is not None:
            each += self._cost(node.filter_by)
        self._sizes[id(node)] = rounds
        return min(self._cost(node.range) + rounds * each, _MOST)

    def _call(self, node: Call) -> int:
        nodes = node.arguments if node.target is None else (node.target, *node.arguments)
        table = self._language.functions if node.target is None else self._language.methods
        kinds = [self._type(it) for it in nodes]
        inner = sum(map(self._cost, nodes))
        sizes = [self._size(it) for it in nodes]
        own, size = 1, 0
        for overload in table[node.function].overloads:
            if len(overload.arguments) != len(kinds):
                continue
            if not all(map(accepts, overload.arguments, kinds)):
                continue
            if overload.estimate is not None:
                own = max(own, overload.estimate(*sizes))
            elif overload.deep:
                own = max(own, 1 + min(map(self._reading, nodes)))
            if overload.size is not None:
                size = max(size, overload.size(*sizes))
        if size:
            self._sizes[id(node)] = min(size, LARGEST_REQUEST)
        return min(inner + own, _MOST)

    def _reading(self, node: Node) -> int:
        """The greatest cost of reading through what a node gives."""
        kind = self._type(node)
        if kind.name in _UNSIZED:
            return 1
        size = self._size(node)
        if kind.name in ("string", "bytes"):
            return -(-size // 10)
        if kind.name == "list" and element_of(kind).name in _UNSIZED:
            return size
        return size if size < LARGEST_REQUEST else LARGEST_REQUEST // 10
