"""Gives each node of a tree its static type, and refuses what can't work.

The messages are cel-go's. What has type `dyn` is left to the moment when it runs.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sampan.kubernetes.expressions.errors import EvaluationFailed, Problem
from sampan.kubernetes.expressions.functions import Function, Language
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
from sampan.kubernetes.expressions.types import (
    BOOL,
    DYN,
    INT,
    TYPE,
    Type,
    accepts,
    element_of,
    joined,
    list_of,
    map_of,
    of_constant,
    optional_of,
)

TYPE_NAMES = frozenset(
    (
        "bool",
        "bytes",
        "double",
        "int",
        "list",
        "map",
        "null_type",
        "string",
        "type",
        "uint",
        "optional_type",
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "net.IP",
        "net.CIDR",
        "kubernetes.URL",
        "kubernetes.Quantity",
        "kubernetes.Semver",
        "kubernetes.NamedFormat",
    )
)
# Functions whose constant argument is tried when the expression is read.
_TRIED = {"matches": "matches", "duration": "duration", "timestamp": "timestamp"}

Scope = Mapping[str, Type]


def dotted(node: Node) -> str:
    """The name that a chain of selections spells; empty when it is something else."""
    if isinstance(node, Identifier):
        return node.name
    if isinstance(node, Select) and not node.optional and not node.tests:
        before = dotted(node.operand)
        return f"{before}.{node.field}" if before else ""
    return ""


class Checker:
    """Checks one expression; `types` then holds the type of every node by its identity."""

    def __init__(self, language: Language, structures: Mapping[str, Type]) -> None:
        self._language = language
        self._structures = structures
        self.types: dict[int, Type] = {}

    def check(self, node: Node, scope: Scope) -> Type:
        """Raises Problem."""
        found = _CHECKS[type(node)](self, node, scope)
        self.types[id(node)] = found
        return found

    def constant(self, node: Constant, _scope: Scope) -> Type:
        return of_constant(node.value)

    def identifier(self, node: Identifier, scope: Scope) -> Type:
        if node.name in scope:
            return scope[node.name]
        if node.name in TYPE_NAMES:
            return TYPE
        raise _undeclared(node.offset, node.name)

    def select(self, node: Select, scope: Scope) -> Type:
        name = dotted(node)
        if name in TYPE_NAMES and name.partition(".")[0] not in scope:
            return TYPE
        if name in scope:
            return scope[name]
        operand = self.check(node.operand, scope)
        inner = element_of(operand) if operand.name == "optional_type" else operand
        field = self._field(node, inner)
        if node.tests:
            return BOOL
        return optional_of(field) if node.optional or inner is not operand else field

    def _field(self, node: Select, operand: Type) -> Type:
        if operand.fields is not None:
            known = operand.fields.by_name.get(node.field)
            if known is None:
                raise Problem(node.offset, f"undefined field '{node.field}'")
            return known[1]
        if operand.name == "map":
            return element_of(operand)
        if operand.name == "dyn":
            return DYN
        raise Problem(node.offset, f"type '{operand}' does not support field selection")

    def index(self, node: Index, scope: Scope) -> Type:
        operand, key = self.check(node.operand, scope), self.check(node.key, scope)
        inner = element_of(operand) if operand.name == "optional_type" else operand
        fits = inner.name in ("map", "dyn") or inner.fields is not None
        if inner.name == "list":
            fits = key.name in ("int", "uint", "double", "dyn")
        elif inner.name == "map" and inner.parameters:
            fits = _is_numeric(inner.parameters[0], key) or accepts(inner.parameters[0], key)
        if not fits:
            raise _no_match(node.offset, "_[_]", None, (operand, key))
        found = element_of(inner) if inner.name in ("list", "map") else DYN
        return optional_of(found) if node.optional or inner is not operand else found

    def call(self, node: Call, scope: Scope) -> Type:
        target = None if node.target is None else self.check(node.target, scope)
        arguments = tuple(self.check(it, scope) for it in node.arguments)
        table = self._language.functions if target is None else self._language.methods
        function = table.get(node.function)
        if function is None:
            raise _undeclared(node.offset, node.function)
        given = arguments if target is None else (target, *arguments)
        result = _result(function, given)
        if result is None:
            raise _no_match(node.offset, node.function, target, arguments)
        self._try_constants(node)
        return result

    def _try_constants(self, node: Call) -> None:
        name = _TRIED.get(node.function)
        argument = node.arguments[-1] if node.arguments else None
        if name is None or not isinstance(argument, Constant) or type(argument.value) is not str:
            return
        try:
            if name == "matches":
                self._language.functions["matches"].overloads[0].run("", argument.value)
            else:
                _conversion(self._language.functions[name])(argument.value)
        except EvaluationFailed as error:
            raise Problem(argument.offset, f"invalid {name} argument") from error

    def logical(self, node: Logical, scope: Scope) -> Type:
        name = "_&&_" if node.is_and else "_||_"
        kinds = tuple(self.check(it, scope) for it in node.terms)
        if not all(accepts(BOOL, it) for it in kinds):
            raise _no_match(node.offset, name, None, kinds[:2])
        return BOOL

    def conditional(self, node: Conditional, scope: Scope) -> Type:
        condition = self.check(node.condition, scope)
        then, otherwise = self.check(node.then, scope), self.check(node.otherwise, scope)
        fits = accepts(then, otherwise) or accepts(otherwise, then)
        if not fits or not accepts(BOOL, condition):
            raise _no_match(node.offset, "_?_:_", None, (condition, then, otherwise))
        return joined(then, otherwise)

    def list_literal(self, node: ListLiteral, scope: Scope) -> Type:
        kinds = [self._entry(it, scope, optional=optional) for it, optional in node.elements]
        for kind, (element, _) in zip(kinds, node.elements, strict=True):
            _expect(element, kinds[0], kind)
        element_type = kinds[0] if kinds else DYN
        for kind in kinds:
            element_type = joined(element_type, kind)
        return list_of(element_type, len(kinds))

    def map_literal(self, node: MapLiteral, scope: Scope) -> Type:
        keys = [self.check(it.key, scope) for it in node.entries]
        kinds = [self._entry(it.value, scope, optional=it.optional) for it in node.entries]
        for key, kind, entry in zip(keys, kinds, node.entries, strict=True):
            _expect(entry.key, keys[0], key)
            _expect(entry.value, kinds[0], kind)
        if not keys:
            return map_of(DYN, DYN, 0)
        return map_of(keys[0], kinds[0], len(keys))

    def struct_literal(self, node: StructLiteral, scope: Scope) -> Type:
        kind = self._structures.get(node.name)
        if kind is None and "." in node.name:
            kind = self._structures.get(node.name.partition(".")[0] + ".*")
        if kind is None:
            raise _undeclared(node.offset, node.name)
        for name, value, optional in node.entries:
            given = self._entry(value, scope, optional=optional)
            if kind.fields is not None:
                known = kind.fields.by_name.get(name)
                if known is None:
                    raise Problem(node.offset, f"undefined field '{name}'")
                if not accepts(known[1], given):
                    message = (
                        f"expected type of field '{name}' is '{known[1]}' "
                        f"but provided type is '{given}'"
                    )
                    raise Problem(value.offset, message)
        return kind

    def macro(self, node: Macro, scope: Scope) -> Type:
        source = self.check(node.range, scope)
        first, second = _loop_types(node, source)
        inner = {**scope, node.first: first}
        if node.second:
            inner[node.second] = second
        if node.filter_by is not None:
            self._boolean(node.filter_by, inner)
        if node.name in ("all", "exists", "exists_one", "filter"):
            self._boolean(node.body, inner)
            return list_of(first, source.most) if node.name == "filter" else BOOL
        body = self.check(node.body, inner)
        if node.name in ("map", "transformList"):
            return list_of(body, source.most)
        if node.name == "transformMap":
            return map_of(first, body, source.most)
        if body.name not in ("map", "dyn"):
            raise Problem(node.body.offset, f"expected type 'map' but found '{body}'")
        return body if body.name == "map" else map_of(DYN, DYN)

    def bind(self, node: Bind, scope: Scope) -> Type:
        return self.check(node.body, {**scope, node.name: self.check(node.value, scope)})

    def optional_map(self, node: OptionalMap, scope: Scope) -> Type:
        target = self.check(node.target, scope)
        name = "optFlatMap" if node.flat else "optMap"
        if target.name not in ("optional_type", "dyn"):
            raise _undeclared(node.offset, name)
        body = self.check(node.body, {**scope, node.name: element_of(target)})
        if not node.flat:
            return optional_of(body)
        if body.name not in ("optional_type", "dyn"):
            raise _no_match(node.offset, "_?_:_", None, (BOOL, body, optional_of(DYN)))
        return body

    def _boolean(self, node: Node, scope: Scope) -> None:
        found = self.check(node, scope)
        if not accepts(BOOL, found):
            raise Problem(node.offset, f"expected type 'bool' but found '{found}'")

    def _entry(self, node: Node, scope: Scope, *, optional: bool) -> Type:
        """An optional entry must hold an optional, and gives what is in it."""
        found = self.check(node, scope)
        if not optional:
            return found
        if found.name not in ("optional_type", "dyn"):
            message = f"expected type 'optional_type({found})' but found '{found}'"
            raise Problem(node.offset, message)
        return element_of(found) if found.name == "optional_type" else DYN


_CHECKS: dict[type, Callable[[Checker, Any, Scope], Type]] = {
    Constant: Checker.constant,
    Identifier: Checker.identifier,
    Select: Checker.select,
    Index: Checker.index,
    Call: Checker.call,
    Logical: Checker.logical,
    Conditional: Checker.conditional,
    ListLiteral: Checker.list_literal,
    MapLiteral: Checker.map_literal,
    StructLiteral: Checker.struct_literal,
    Macro: Checker.macro,
    Bind: Checker.bind,
    OptionalMap: Checker.optional_map,
}


def _result(function: Function, given: tuple[Type, ...]) -> Type | None:
    """The type that a call gives, None when no form of the function takes these."""
    found: Type | None = None
    for overload in function.overloads:
        wanted = overload.arguments
        if len(wanted) != len(given) or not all(map(accepts, wanted, given)):
            continue
        if overload.fits is not None and not overload.fits(given):
            continue
        result = overload.result if isinstance(overload.result, Type) else overload.result(given)
        if found is not None and found.name != result.name:
            return DYN
        found = result if found is None else joined(found, result)
    return found


def _conversion(function: Function) -> Callable[[Any], Any]:
    """The form that takes a text."""
    return next(it.run for it in function.overloads if it.arguments[0].name == "string")


def _loop_types(node: Macro, source: Type) -> tuple[Type, Type]:
    """The types of a loop's variables."""
    if source.name == "list":
        return (INT, element_of(source)) if node.second else (element_of(source), DYN)
    if source.name == "map":
        return source.parameters[0] if source.parameters else DYN, element_of(source)
    if source.name == "dyn" or source.fields is not None:
        return DYN, DYN
    message = (
        f"expression of type '{source}' cannot be range of a comprehension "
        "(must be list, map, or dynamic)"
    )
    raise Problem(node.range.offset, message)


def _is_numeric(wanted: Type, given: Type) -> bool:
    numbers = ("int", "uint", "double")
    return wanted.name in numbers and given.name in numbers


def _expect(node: Node, wanted: Type, given: Type) -> None:
    """Elements of a literal are all of one type."""
    if not accepts(wanted, given) and not accepts(given, wanted):
        raise Problem(node.offset, f"expected type '{wanted}' but found '{given}'")


def _undeclared(offset: int, name: str) -> Problem:
    return Problem(offset, f"undeclared reference to '{name}' (in container '')")


def _no_match(offset: int, name: str, target: Type | None, arguments: tuple[Type, ...]) -> Problem:
    listed = f"({', '.join(map(str, arguments))})"
    shown = listed if target is None else f"{target}.{listed}"
    return Problem(offset, f"found no matching overload for '{name}' applied to '{shown}'")
