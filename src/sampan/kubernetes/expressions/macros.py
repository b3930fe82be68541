"""Calls that are no functions: they bind a variable, or look at the form of their argument."""

from typing import get_args

from sampan.kubernetes.expressions.errors import Problem
from sampan.kubernetes.expressions.syntax import (
    Bind,
    Identifier,
    Macro,
    MacroName,
    Node,
    OptionalMap,
    Select,
    height_of,
)

_NAMES: dict[str, MacroName] = {
    **{name: name for name in get_args(MacroName)},
    "existsOne": "exists_one",
}
# How many arguments each takes with one variable, and with two.
_ONE_VARIABLE = {
    "all": (2,),
    "exists": (2,),
    "exists_one": (2,),
    "existsOne": (2,),
    "filter": (2,),
    "map": (2, 3),
}
_TWO_VARIABLES = {
    "all": (3,),
    "exists": (3,),
    "exists_one": (3,),
    "existsOne": (3,),
    "transformList": (3, 4),
    "transformMap": (3, 4),
    "transformMapEntry": (3, 4),
}


def expanded(
    offset: int, name: str, target: Node | None, arguments: tuple[Node, ...]
) -> Node | None:
    """The macro that a call is, None when it is none. Raises Problem."""
    if target is None:
        return _presence(offset, arguments) if name == "has" and len(arguments) == 1 else None
    if name == "bind" and isinstance(target, Identifier) and target.name == "cel":
        return _binding(offset, arguments)
    if name in ("optMap", "optFlatMap") and len(arguments) == 2:
        variable = _variable(arguments[0])
        height = 1 + max(height_of(target), height_of(arguments[1]))
        flat = name == "optFlatMap"
        return OptionalMap(offset, target, variable, arguments[1], flat, height)
    count = len(arguments)
    if count in _ONE_VARIABLE.get(name, ()):
        return _loop(offset, name, target, arguments[:1], arguments[1:])
    if count in _TWO_VARIABLES.get(name, ()):
        return _loop(offset, name, target, arguments[:2], arguments[2:])
    return None


def _presence(offset: int, arguments: tuple[Node, ...]) -> Node:
    operand = arguments[0]
    if not isinstance(operand, Select) or operand.optional or operand.tests:
        raise Problem(offset, "invalid argument to has() macro")
    return Select(operand.offset, operand.operand, operand.field, tests=True, height=operand.height)


def _binding(offset: int, arguments: tuple[Node, ...]) -> Node | None:
    if len(arguments) != 3:
        return None
    value, body = arguments[1:]
    height = 1 + max(height_of(value), height_of(body))
    return Bind(offset, _variable(arguments[0], "cel.bind() variable names"), value, body, height)


def _loop(
    offset: int,
    name: str,
    target: Node,
    variables: tuple[Node, ...],
    rest: tuple[Node, ...],
) -> Node:
    names = [_variable(it) for it in variables]
    if len(set(names)) < len(names):
        raise Problem(variables[1].offset, f"duplicate variable name: {names[1]}")
    filter_by = rest[0] if len(rest) == 2 else None
    second = names[1] if len(names) == 2 else ""
    height = 1 + max(map(height_of, (target, *rest)))
    return Macro(offset, _NAMES[name], target, names[0], second, filter_by, rest[-1], height)


def _variable(node: Node, what: str = "argument") -> str:
    if isinstance(node, Identifier):
        return node.name
    if what == "argument":
        raise Problem(node.offset, "argument must be a simple name")
    raise Problem(node.offset, f"{what} must be simple identifiers")
