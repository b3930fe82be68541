"""One pass over a decoded object that holds it to its schema.

It prunes what the schema doesn't know, drops nulls, brings quantities and times into their
canonical form, and reports what it met. Rules that the schema can't say belong to the kinds.
"""

import base64
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import quantities, timestamps
from sampan.kubernetes.machinery.causes import invalid, required
from sampan.kubernetes.schema.definitions import Schema, definition

_BOUNDS = {"int32": 2**31, "int64": 2**63, "": 2**63}
_MAXIMUM_DEPTH = 200
_LINE_ENDS = {ord("\n"): None, ord("\r"): None}

# A path is a chain of (parent path, key or index), turned into text only when it is reported.
_Path = tuple[Any, str | int] | None


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
    run.object(definition(name), tree, None, 0)
    return Findings(run.unknown, run.causes)


def render(path: _Path) -> str:
    """`spec.containers[0].name`; keys that hold dots or slashes are bracketed."""
    parts: list[str] = []
    while path is not None:
        path, key = path
        parts.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    return "".join(reversed(parts)).removeprefix(".")


class _Pass:
    """The state of one pass; every method gives the value to store in place of the old one."""

    __slots__ = ("causes", "kind", "lenient", "unknown")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.unknown: list[str] = []
        self.causes: list[Cause] = []
        self.lenient = False

    def value(self, schema: Schema, value: Any, path: _Path, depth: int) -> Any:
        if schema.ref:
            schema = definition(schema.ref)
        kind = schema.type
        if kind == "string":
            if type(value) is not str:
                raise self.wrong(value, path, "string")
            return self.text(schema.format, value, path) if schema.format else value
        if kind == "object":
            if type(value) is not dict:
                raise self.wrong(value, path, "object")
            return self.object(schema, value, path, depth)
        if kind == "array":
            if type(value) is not list:
                raise self.wrong(value, path, "array")
            return self.array(schema, value, path, depth)
        return self.scalar(schema, value, path)

    def object(self, schema: Schema, tree: Object, path: _Path, depth: int) -> Object:
        if depth > _MAXIMUM_DEPTH:
            raise WrongType(f"{render(path)}: the object is nested too deeply")
        if schema.values is not None:
            return self.map(schema.values, tree, path, depth)
        properties = schema.properties
        if not properties:
            return tree
        dropped: list[str] = []
        for key, value in tree.items():
            member = properties.get(key)
            if member is None:
                self.unknown.append(render((path, key)))
                dropped.append(key)
            elif value is None:
                dropped.append(key)
            elif path is None and key == "status":
                self.lenient = True
                tree[key] = self.value(member, value, (path, key), depth + 1)
                self.lenient = False
            else:
                tree[key] = self.value(member, value, (path, key), depth + 1)
        for key in dropped:
            del tree[key]
        if schema.required and not self.lenient:
            self.require(schema, tree, path)
        return tree

    def require(self, schema: Schema, tree: Object, path: _Path) -> None:
        """Report what is missing; of a missing object, its own required fields instead."""
        for name in schema.required:
            if name in tree:
                continue
            member = schema.properties[name]
            target = definition(member.ref) if member.ref else member
            if target.type != "object":
                self.causes.append(required(render((path, name))))
            elif target.properties:
                self.require(target, {}, (path, name))

    def map(self, values: Schema, tree: Object, path: _Path, depth: int) -> Object:
        if values.type == "string" and not values.format:
            for key, value in tree.items():
                if type(value) is not str:
                    tree[key] = self.absent_text(value, (path, key))
            return tree
        for key, value in tree.items():
            if value is not None:
                tree[key] = self.value(values, value, (path, key), depth + 1)
        for key in [key for key, value in tree.items() if value is None]:
            del tree[key]
        return tree

    def array(self, schema: Schema, values: list[Any], path: _Path, depth: int) -> list[Any]:
        items = schema.items
        if items is None:
            return values
        if items.type == "string" and not items.format:
            for index, value in enumerate(values):
                if type(value) is not str:
                    values[index] = self.absent_text(value, (path, index))
            return values
        if depth > _MAXIMUM_DEPTH:
            raise WrongType(f"{render(path)}: the object is nested too deeply")
        for index, value in enumerate(values):
            if value is None:
                value = {}  # noqa: PLW2901 - null is the empty value of its type
            values[index] = self.value(items, value, (path, index), depth + 1)
        return values

    def absent_text(self, value: Any, path: _Path) -> str:
        if value is not None:
            raise self.wrong(value, path, "string")
        return ""

    def scalar(self, schema: Schema, value: Any, path: _Path) -> Any:
        kind = schema.type
        given = type(value)
        if kind == "integer":
            if given is not int:
                if given is not float or not value.is_integer():
                    raise self.wrong(value, path, schema.format or "int64")
                value = int(value)
            if not -_BOUNDS[schema.format] <= value < _BOUNDS[schema.format]:
                raise self.wrong(value, path, schema.format or "int64")
        elif kind == "boolean":
            if given is not bool:
                raise self.wrong(value, path, "bool")
        elif kind == "quantity":
            return self.quantity(value, path)
        elif kind == "int-or-string":
            if given is int:
                return self.scalar(_INT32, value, path)
            if given is not str:
                raise self.wrong(value, path, "intstr.IntOrString")
        elif kind == "number" and given not in (int, float):
            raise self.wrong(value, path, "float64")
        return value

    def quantity(self, value: Any, path: _Path) -> Any:
        if type(value) not in (str, int, float):
            raise self.wrong(value, path, "resource.Quantity")
        try:
            return quantities.canonical(value)
        except quantities.InvalidQuantity as error:
            self.causes.append(invalid(render(path), value, str(error)))
            return value

    def text(self, form: str, value: str, path: _Path) -> str:
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

    def wrong(self, value: Any, path: _Path, wanted: str) -> WrongType:
        """The words of Go's encoding/json, which users of kubectl know."""
        given = f"number {value}" if type(value) in (int, float) else _GO_NAMES[type(value)]
        field = f"{self.kind}.{render(path)}"
        return WrongType(
            f"json: cannot unmarshal {given[:80]} into Go struct field {field} of type {wanted}"
        )


_INT32 = Schema(type="integer", format="int32")
_GO_NAMES: dict[type, str] = {
    str: "string",
    bool: "bool",
    dict: "object",
    list: "array",
    type(None): "null",
}
