"""One pass over a decoded object that holds it to its schema.

It prunes what the schema doesn't know, drops nulls, brings quantities and times into their
canonical form, and reports what it met. Rules that the schema can't say belong to the kinds.

Theory: each definition is compiled once into nested functions, one for each place in it, that
give the value to store in place of the old one. What most values need, a look at their type,
is done by the function of the object that holds them. A `spec` that was found to be right, and
as it is, before is not looked at again.
"""

import base64
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import quantities, timestamps
from sampan.kubernetes.machinery.causes import invalid, required
from sampan.kubernetes.machinery.familiar import Familiar, encoded
from sampan.kubernetes.schema.definitions import Schema, definition

_BOUNDS = {"int32": 2**31, "int64": 2**63, "": 2**63}
_MAXIMUM_DEPTH = 200
_LINE_ENDS = {ord("\n"): None, ord("\r"): None}
_PLAIN_TYPES: dict[str, type] = {"string": str, "boolean": bool}
_GO_NAMES: dict[type, str] = {
    str: "string",
    bool: "bool",
    dict: "object",
    list: "array",
    type(None): "null",
}

# A path is a chain of (parent path, key or index), turned into text only when it is reported.
_Path = tuple[Any, str | int] | None
_Check = Callable[["_Pass", Any, _Path, int], Any]

_right: dict[str, Familiar] = {}


class WrongType(ValueError):
    """A value is not of the type that its field has; the object can't be decoded."""


class Findings(msgspec.Struct):
    """What a pass met: paths of fields that were pruned, and rules of the schema broken."""

    unknown: list[str] = []
    causes: list[Cause] = []


def check(name: str, tree: Object) -> Findings:
    """Hold a decoded object to the definition `name`, changing it in place.

    Raises WrongType (an answer of 400, like json.Unmarshal in Go). Required fields inside
    `status` are not enforced: components fill them bit by bit.
    """
    run = _Pass(name.rpartition(".")[2])
    spec = tree.get("spec") if type(tree) is dict else None
    key = encoded(spec) if spec else b""
    known = _right.get(name) or _right.setdefault(name, Familiar())
    if key and key in known:
        run.familiar = spec
    _compiled(name)(run, tree, None, 0)
    if key and not run.familiar and not run.unknown and not run.causes and encoded(spec) == key:
        known.add(key)
    return Findings(run.unknown, run.causes)


def render(path: _Path) -> str:
    """`spec.containers[0].name`; keys that hold dots or slashes are bracketed."""
    parts: list[str] = []
    while path is not None:
        path, key = path
        parts.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    return "".join(reversed(parts)).removeprefix(".")


class _Pass:
    """What one pass has met, and the errors that end it."""

    __slots__ = ("causes", "familiar", "kind", "unknown")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.familiar: Any = None
        self.unknown: list[str] = []
        self.causes: list[Cause] = []

    def wrong(self, value: Any, path: _Path, wanted: str) -> WrongType:
        """The words of Go's encoding/json, which users of kubectl know."""
        given = f"number {value}" if type(value) in (int, float) else _GO_NAMES[type(value)]
        field = f"{self.kind}.{render(path)}"
        return WrongType(
            f"json: cannot unmarshal {given[:80]} into Go struct field {field} of type {wanted}"
        )

    def no_object(self, value: Any, path: _Path) -> WrongType:
        return self._deep(path) if type(value) is dict else self.wrong(value, path, "object")

    def no_array(self, value: Any, path: _Path) -> WrongType:
        return self._deep(path) if type(value) is list else self.wrong(value, path, "array")

    def _deep(self, path: _Path) -> WrongType:
        return WrongType(f"{render(path)}: the object is nested too deeply")


@cache
def _compiled(name: str) -> _Check:
    return _check_of(definition(name))


def _check_of(schema: Schema) -> _Check:
    if schema.ref:
        return _compiled(schema.ref)
    if schema.type == "object":
        if schema.values is not None:
            return _map(schema.values)
        return _object(schema) if schema.properties else _free_object
    if schema.type == "array":
        return _free_array if schema.items is None else _array(schema.items)
    return _leaf(schema.type, schema.format)


def _plain_type(schema: Schema) -> type | None:
    """The type of which every value is right as it is."""
    return None if schema.ref or schema.format else _PLAIN_TYPES.get(schema.type)


def _object(schema: Schema) -> _Check:
    """Members are compiled when the first value comes: definitions refer to themselves."""
    properties, required_names = schema.properties, schema.required
    plain = {key: it for key, member in properties.items() if (it := _plain_type(member))}
    checks: dict[str, _Check] = {}

    def check(run: _Pass, tree: Any, path: _Path, depth: int) -> Any:
        if type(tree) is not dict or depth > _MAXIMUM_DEPTH:
            raise run.no_object(tree, path)
        dropped: list[str] = []
        for key, value in tree.items():
            if plain.get(key) is type(value):
                continue
            if key not in properties:
                run.unknown.append(render((path, key)))
                dropped.append(key)
            elif value is None:
                dropped.append(key)
            elif value is not run.familiar:
                member = checks.get(key) or checks.setdefault(key, _check_of(properties[key]))
                tree[key] = member(run, value, (path, key), depth + 1)
        for key in dropped:
            del tree[key]
        for name in required_names:
            if name not in tree:
                _require(run, schema, tree, path)
                break
        return tree

    return check


def _require(run: _Pass, schema: Schema, tree: Object, path: _Path) -> None:
    """Report what is missing; of a missing object, its own required fields instead."""
    if _is_in_status(path):
        return
    for name in schema.required:
        if name in tree:
            continue
        member = schema.properties[name]
        target = definition(member.ref) if member.ref else member
        if target.type != "object":
            run.causes.append(required(render((path, name))))
        elif target.properties:
            _require(run, target, {}, (path, name))


def _is_in_status(path: _Path) -> bool:
    key: str | int = ""
    while path is not None:
        path, key = path
    return key == "status"


def _free_object(run: _Pass, tree: Any, path: _Path, depth: int) -> Any:
    """An object that keeps whatever it holds."""
    if type(tree) is not dict or depth > _MAXIMUM_DEPTH:
        raise run.no_object(tree, path)
    return tree


def _map(values: Schema) -> _Check:
    member, plain = _check_of(values), _plain_type(values)

    def check(run: _Pass, tree: Any, path: _Path, depth: int) -> Any:
        if type(tree) is not dict or depth > _MAXIMUM_DEPTH:
            raise run.no_object(tree, path)
        absent: list[str] = []
        for key, value in tree.items():
            if type(value) is plain:
                continue
            if value is not None:
                tree[key] = member(run, value, (path, key), depth + 1)
            elif plain is str:
                tree[key] = ""
            else:
                absent.append(key)
        for key in absent:
            del tree[key]
        return tree

    return check


def _free_array(run: _Pass, values: Any, path: _Path, depth: int) -> Any:
    if type(values) is not list or depth > _MAXIMUM_DEPTH:
        raise run.no_array(values, path)
    return values


def _array(items: Schema) -> _Check:
    member, plain = _check_of(items), _plain_type(items)

    def check(run: _Pass, values: Any, path: _Path, depth: int) -> Any:
        if type(values) is not list or depth > _MAXIMUM_DEPTH:
            raise run.no_array(values, path)
        for index, value in enumerate(values):
            if type(value) is plain:
                continue
            if value is None:
                # The empty value of its type.
                value = "" if plain is str else {}  # noqa: PLW2901
            values[index] = member(run, value, (path, index), depth + 1)
        return values

    return check


@cache
def _leaf(kind: str, form: str) -> _Check:
    """The check of a value that holds no others."""
    if kind == "string":
        return _text(form)
    if kind == "integer":
        return _integer(form)
    return _LEAVES[kind]


def _text(form: str) -> _Check:
    def check(run: _Pass, value: Any, path: _Path, _depth: int) -> Any:
        if type(value) is not str:
            raise run.wrong(value, path, "string")
        try:
            if form == "date-time":
                return timestamps.normal_seconds(value)
            if form == "micro-time":
                return timestamps.normal_microseconds(value)
            if form == "byte":
                base64.b64decode(value.translate(_LINE_ENDS), validate=True)
        except ValueError as error:
            raise WrongType(f"{render(path)}: {error}") from error
        return value

    return check


def _integer(form: str) -> _Check:
    bound = _BOUNDS[form]

    def check(run: _Pass, value: Any, path: _Path, _depth: int) -> Any:
        if type(value) is not int:
            if type(value) is not float or not value.is_integer():
                raise run.wrong(value, path, form or "int64")
            value = int(value)
        if not -bound <= value < bound:
            raise run.wrong(value, path, form or "int64")
        return value

    return check


def _boolean(run: _Pass, value: Any, path: _Path, _depth: int) -> Any:
    if type(value) is not bool:
        raise run.wrong(value, path, "bool")
    return value


def _number(run: _Pass, value: Any, path: _Path, _depth: int) -> Any:
    if type(value) not in (int, float):
        raise run.wrong(value, path, "float64")
    return value


def _int_or_string(run: _Pass, value: Any, path: _Path, depth: int) -> Any:
    if type(value) is int:
        return _int32(run, value, path, depth)
    if type(value) is not str:
        raise run.wrong(value, path, "intstr.IntOrString")
    return value


def _quantity(run: _Pass, value: Any, path: _Path, _depth: int) -> Any:
    if type(value) not in (str, int, float):
        raise run.wrong(value, path, "resource.Quantity")
    try:
        return quantities.canonical(value)
    except quantities.InvalidQuantity as error:
        run.causes.append(invalid(render(path), value, str(error)))
        return value


def _anything(_run: _Pass, value: Any, _path: _Path, _depth: int) -> Any:
    return value


_int32 = _integer("int32")
_LEAVES: dict[str, _Check] = {
    "boolean": _boolean,
    "number": _number,
    "int-or-string": _int_or_string,
    "quantity": _quantity,
    "any": _anything,
}
