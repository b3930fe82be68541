"""Filling a template from a value.

It must not know where values come from: what a field of a struct is, is asked of `Fields`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sampan.faces.cli.templates import functions
from sampan.faces.cli.templates.functions import FUNCTIONS, LAZY
from sampan.faces.cli.templates.nodes import (
    Break,
    Continue,
    Dot,
    Function,
    If,
    Literal,
    Node,
    Operand,
    Output,
    Pipeline,
    Range,
    Text,
    Variable,
    With,
)
from sampan.faces.cli.templates.parsing import parse
from sampan.faces.cli.templates.printing import LARGEST_TEXT, printed
from sampan.faces.cli.templates.values import (
    NO_VALUE,
    GoMap,
    NoValue,
    Record,
    TemplateFailed,
    is_true,
)

Fields = Callable[[Mapping[str, Any], str], Any]
_MOST_STEPS = 500_000


def plain_field(struct: Mapping[str, Any], name: str) -> Any:
    """A field that is there by its name. Raises TemplateFailed."""
    if name not in struct:
        raise TemplateFailed(f"there is no field .{name}; there are {', '.join(struct)}"[:2000])
    return struct[name]


class Template:
    """Reading `text` raises TemplateFailed, and so does filling it."""

    def __init__(self, text: str) -> None:
        self._nodes = parse(text, frozenset(FUNCTIONS) | LAZY)

    def filled(
        self,
        value: Any,
        *,
        fields: Fields = plain_field,
        table: Mapping[str, tuple[Callable[..., Any], int, int]] = FUNCTIONS,
    ) -> str:
        filling = _Filling(value, fields, table)
        filling.run(self._nodes, value)
        return "".join(filling.pieces)


class _Filling:
    def __init__(
        self,
        value: Any,
        fields: Fields,
        table: Mapping[str, tuple[Callable[..., Any], int, int]],
    ) -> None:
        self.pieces: list[str] = []
        self._fields = fields
        self._table = table
        self._variables: list[tuple[str, Any]] = [("$", value)]
        self._size = 0
        self._steps = 0

    def run(self, nodes: tuple[Node, ...], dot: Any) -> Break | Continue | None:
        """What ends the loop round these nodes, if one does."""
        for node in nodes:
            self._count()
            left: Break | Continue | None = None
            if isinstance(node, Text):
                self._write(node.text)
            elif isinstance(node, Output):
                value = self._pipeline(node.pipeline, dot)
                if not node.pipeline.variables:
                    self._write(printed(value))
            elif isinstance(node, (Break, Continue)):
                left = node
            else:
                known = len(self._variables)
                left = self._block(node, dot)
                del self._variables[known:]
            if left is not None:
                return left
        return None

    def _block(self, node: If | With | Range, dot: Any) -> Break | Continue | None:
        if isinstance(node, Range):
            return self._range(node, dot)
        subject = node.condition if isinstance(node, If) else node.subject
        value = self._pipeline(subject, dot)
        if not is_true(value):
            return self.run(node.otherwise, dot)
        return self.run(node.then, dot if isinstance(node, If) else value)

    def _range(self, node: Range, dot: Any) -> Break | Continue | None:
        bare = Pipeline(node.subject.commands)
        subject = self._pipeline(bare, dot)
        known, is_empty = len(self._variables), True
        for key, element in _elements(subject):
            is_empty = False
            self._count()
            names = node.subject.variables
            values = (key, element) if len(names) == 2 else (element,)
            for name, value in zip(names, values, strict=False):
                self._set(name, value, assigns=node.subject.assigns)
            left = self.run(node.body, element)
            del self._variables[known:]
            if isinstance(left, Break):
                break
        return self.run(node.otherwise, dot) if is_empty else None

    def _pipeline(self, pipeline: Pipeline, dot: Any) -> Any:
        result: tuple[Any, ...] = ()
        for command in pipeline.commands:
            result = (self._command(command, dot, result),)
        for name in pipeline.variables:
            self._set(name, result[0], assigns=pipeline.assigns)
        return result[0]

    def _command(self, command: tuple[Operand, ...], dot: Any, piped: tuple[Any, ...]) -> Any:
        self._count()
        first, rest = command[0], command[1:]
        if isinstance(first, Function):
            if first.name in LAZY:
                return self._decided(first.name, rest, dot, piped)
            given = [*(self._value(operand, dot) for operand in rest), *piped]
            return functions.called(first.name, self._table, given)
        value = self._value(first, dot, called=False)
        given = [*(self._value(operand, dot) for operand in rest), *piped]
        if callable(value):
            return _called_method(value, given)
        if given:
            raise TemplateFailed("can't give arguments to a field that is no method")
        return value

    def _decided(
        self, name: str, operands: tuple[Operand, ...], dot: Any, piped: tuple[Any, ...]
    ) -> Any:
        """The first argument that decides an `and` or `or`, else the last."""
        if not operands and not piped:
            raise TemplateFailed(f"wrong number of args for {name}: got 0")
        value: Any = NO_VALUE
        for operand in operands:
            value = self._value(operand, dot)
            if is_true(value) == (name == "or"):
                return value
        return piped[0] if piped else value

    def _value(self, operand: Operand, dot: Any, *, called: bool = True) -> Any:
        match operand:
            case Literal():
                return operand.value
            case Dot():
                return dot
            case Variable():
                return self._variables[self._place(operand.name)][1]
            case Pipeline():
                return self._pipeline(operand, dot)
            case Function():
                return self._command((operand,), dot, ())
        value = self._value(operand.base, dot)
        for name in operand.names:
            value = self._field(value() if callable(value) else value, name)
        return _called_method(value, []) if called and callable(value) else value

    def _field(self, value: Any, name: str) -> Any:
        if isinstance(value, Record):
            if name in value.methods:
                return value.methods[name]
            return self._fields(value.fields, name)
        if isinstance(value, NoValue):
            return NO_VALUE
        if value is None:
            raise TemplateFailed(f"nil pointer evaluating .{name}")
        if isinstance(value, GoMap):
            return value.get(name, NO_VALUE)
        if isinstance(value, dict):
            return self._fields(value, name)
        raise TemplateFailed(f"can't evaluate field {name} in {printed(value)[:80]!r}")

    def _set(self, name: str, value: Any, *, assigns: bool) -> None:
        if assigns:
            self._variables[self._place(name)] = (name, value)
        else:
            self._variables.append((name, value))

    def _place(self, name: str) -> int:
        for index in range(len(self._variables) - 1, -1, -1):
            if self._variables[index][0] == name:
                return index
        raise TemplateFailed(f'undefined variable "{name}"')

    def _write(self, text: str) -> None:
        self._size += len(text)
        if self._size > LARGEST_TEXT:
            raise TemplateFailed("a template makes a text that is too long")
        self.pieces.append(text)

    def _count(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise TemplateFailed("a template takes too many steps")


def _called_method(method: Callable[..., Any], given: list[Any]) -> Any:
    try:
        return method(*given)
    except TypeError as error:
        raise TemplateFailed("wrong number of args for a method") from error


def _elements(value: Any) -> Iterator[tuple[Any, Any]]:
    """Keys and elements of what can be gone through, maps in the order of their keys."""
    if isinstance(value, GoMap):
        yield from ((key, value[key]) for key in sorted(value))
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from ((number, number) for number in range(value))
    elif value is not None:
        raise TemplateFailed(f"range can't iterate over {printed(value)[:80]}")
