"""From a checked tree to closures: each node becomes a function of the frame.

Every step spends of the frame's budget, so that nothing runs longer than it was allowed to.
Variables of loops get names of their own, so that an inner one never hides an outer's value
for good.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sampan.kubernetes.expressions import comprehensions, selection
from sampan.kubernetes.expressions.checker import TYPE_NAMES, dotted
from sampan.kubernetes.expressions.comprehensions import Loop
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.frame import Frame, Run
from sampan.kubernetes.expressions.functions import Language
from sampan.kubernetes.expressions.syntax import (
    Bind,
    Call,
    Conditional,
    Constant,
    Identifier,
    Index,
    ListLiteral,
    Logical,
    Macro,
    MapLiteral,
    Node,
    OptionalMap,
    Select,
    StructLiteral,
)
from sampan.kubernetes.expressions.types import DYN, Type
from sampan.kubernetes.expressions.values import ABSENT, Optional, TypeValue, no_such_overload

LIST_COST, MAP_COST, STRUCT_COST = 10, 30, 40
# Constants cost nothing upstream; so many of them in one place cost as much as a step.
_CHEAP = 4

Names = Mapping[str, str]
"""What each variable is called in the frame."""


class Compiler:
    """Compiles one checked expression; `types` are the checker's."""

    def __init__(self, language: Language, types: Mapping[int, Type]) -> None:
        self._language = language
        self._types = types
        self._locals = 0

    def compile(self, node: Node, names: Names) -> Run:
        return _COMPILERS[type(node)](self, node, names)

    def _type(self, node: Node) -> Type:
        return self._types.get(id(node), DYN)

    def _local(self, name: str) -> str:
        self._locals += 1
        return f"{name}#{self._locals}"

    def constant(self, node: Constant, _names: Names) -> Run:
        value = node.value
        return lambda _frame: value

    def identifier(self, node: Identifier, names: Names) -> Run:
        name = names.get(node.name)
        if name is None:
            kind = TypeValue(node.name)
            return lambda _frame: kind
        return _variable(name, selection.conversion(self._type(node)))

    def select(self, node: Select, names: Names) -> Run:
        name = dotted(node)
        if name in names:
            return _variable(names[name], None)
        if name in TYPE_NAMES and name.partition(".")[0] not in names:
            kind = TypeValue(name)
            return lambda _frame: kind
        operand = self.compile(node.operand, names)
        operand_type = self._type(node.operand)
        field = selection.json_name(operand_type, node.field)
        if node.tests:
            return selection.presence(operand, field)
        convert = selection.field_conversion(operand_type, node.field)
        if node.optional:
            return selection.optional_field(operand, field, convert)
        return selection.field(operand, field, convert)

    def index(self, node: Index, names: Names) -> Run:
        operand, key = self.compile(node.operand, names), self.compile(node.key, names)
        convert = selection.element_conversion(self._type(node.operand))
        if node.optional:
            return selection.optional_index(operand, key, convert)
        return selection.index(operand, key, convert)

    def call(self, node: Call, names: Names) -> Run:
        table = self._language.functions if node.target is None else self._language.methods
        called = table[node.function].call
        nodes = node.arguments if node.target is None else (node.target, *node.arguments)
        parts = tuple(self.compile(it, names) for it in nodes)
        if len(parts) == 1:
            (only,) = parts
            return lambda frame: called(frame.budget, only(frame))
        if len(parts) == 2:
            left, right = parts
            return lambda frame: called(frame.budget, left(frame), right(frame))
        return lambda frame: called(frame.budget, *[part(frame) for part in parts])

    def logical(self, node: Logical, names: Names) -> Run:
        terms = tuple(self.compile(it, names) for it in node.terms)
        # The value that decides the chain whatever the other terms are.
        decisive = not node.is_and

        def run(frame: Frame) -> bool:
            frame.budget.spend(len(terms) // _CHEAP)
            failed: EvaluationFailed | None = None
            for term in terms:
                try:
                    value = term(frame)
                except EvaluationFailed as error:
                    failed = error
                    continue
                if value is decisive:
                    return bool(decisive)
                if type(value) is not bool:
                    name = "_&&_" if node.is_and else "_||_"
                    failed = no_such_overload(name, value)
            if failed is not None:
                raise failed
            return not decisive

        return run

    def conditional(self, node: Conditional, names: Names) -> Run:
        condition = self.compile(node.condition, names)
        then, otherwise = self.compile(node.then, names), self.compile(node.otherwise, names)

        def run(frame: Frame) -> Any:
            value = condition(frame)
            if value is True:
                return then(frame)
            if value is False:
                return otherwise(frame)
            raise no_such_overload("_?_:_", value)

        return run

    def list_literal(self, node: ListLiteral, names: Names) -> Run:
        parts = tuple((self.compile(it, names), optional) for it, optional in node.elements)

        def run(frame: Frame) -> list[Any]:
            frame.budget.spend(LIST_COST + len(parts) // _CHEAP)
            made: list[Any] = []
            for part, optional in parts:
                value = part(frame)
                if not optional:
                    made.append(value)
                elif _optional(value).present:
                    made.append(value.value)
            return made

        return run

    def map_literal(self, node: MapLiteral, names: Names) -> Run:
        parts = tuple(
            (self.compile(it.key, names), self.compile(it.value, names), it.optional)
            for it in node.entries
        )

        def run(frame: Frame) -> dict[Any, Any]:
            frame.budget.spend(MAP_COST + len(parts) // _CHEAP)
            made: dict[Any, Any] = {}
            for key_of, value_of, optional in parts:
                key, value = selection.map_key(key_of(frame)), value_of(frame)
                if optional and not _optional(value).present:
                    continue
                if key in made:
                    raise EvaluationFailed(f"Failed with repeated key: {key}")
                made[key] = value.value if optional else value
            return made

        return run

    def struct_literal(self, node: StructLiteral, names: Names) -> Run:
        kind = self._type(node)
        parts = tuple(
            (selection.json_name(kind, name), self.compile(value, names), optional)
            for name, value, optional in node.entries
        )

        def run(frame: Frame) -> dict[str, Any]:
            frame.budget.spend(STRUCT_COST + len(parts) // _CHEAP)
            made: dict[str, Any] = {}
            for name, value_of, optional in parts:
                value = value_of(frame)
                if not optional:
                    made[name] = value
                elif _optional(value).present:
                    made[name] = value.value
            return made

        return run

    def macro(self, node: Macro, names: Names) -> Run:
        first = self._local(node.first)
        second = self._local(node.second) if node.second else ""
        inner = {**names, node.first: first}
        if second:
            inner[node.second] = second
        source_type = self._type(node.range)
        condition = None if node.filter_by is None else self.compile(node.filter_by, inner)
        loop = Loop(
            source=self.compile(node.range, names),
            first=first,
            second=second,
            condition=condition,
            body=self.compile(node.body, inner),
            convert=selection.element_conversion(source_type),
        )
        return comprehensions.MADE[node.name](loop)

    def bind(self, node: Bind, names: Names) -> Run:
        local = self._local(node.name)
        value = self.compile(node.value, names)
        body = self.compile(node.body, {**names, node.name: local})

        def run(frame: Frame) -> Any:
            frame.variables[local] = value(frame)
            return body(frame)

        return run

    def optional_map(self, node: OptionalMap, names: Names) -> Run:
        local, flat = self._local(node.name), node.flat
        target = self.compile(node.target, names)
        body = self.compile(node.body, {**names, node.name: local})

        def run(frame: Frame) -> Optional:
            found = _optional(target(frame))
            if not found.present:
                return ABSENT
            frame.variables[local] = found.value
            value = body(frame)
            return _optional(value) if flat else Optional(True, value)

        return run


_COMPILERS: dict[type, Callable[[Compiler, Any, Names], Run]] = {
    Constant: Compiler.constant,
    Identifier: Compiler.identifier,
    Select: Compiler.select,
    Index: Compiler.index,
    Call: Compiler.call,
    Logical: Compiler.logical,
    Conditional: Compiler.conditional,
    ListLiteral: Compiler.list_literal,
    MapLiteral: Compiler.map_literal,
    StructLiteral: Compiler.struct_literal,
    Macro: Compiler.macro,
    Bind: Compiler.bind,
    OptionalMap: Compiler.optional_map,
}


def _variable(name: str, convert: selection.Convert | None) -> Run:
    def run(frame: Frame) -> Any:
        frame.budget.spend(1)
        try:
            value = frame.variables[name]
        except KeyError as error:
            raise EvaluationFailed(f"no such attribute(s): {name}") from error
        return value if convert is None else convert(value)

    return run


def _optional(value: Any) -> Optional:
    if not isinstance(value, Optional):
        raise no_such_overload("optional", value)
    return value
