"""The static type of what a structural schema describes (OpenAPI v3, as in custom resources).

The rules are those of k8s.io/apiserver `pkg/cel/common/schemas.go`: where a schema says too
little, expressions see nothing or a dynamic value. Sizes that a schema leaves open are
bounded by what fits into one request.
"""

import re
from collections.abc import Mapping
from typing import Any

from sampan.kubernetes.expressions.budget import LARGEST_REQUEST
from sampan.kubernetes.expressions.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    TIMESTAMP,
    Type,
    list_of,
    map_of,
    object_of,
)

Schema = Mapping[str, Any]
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_./-]*")
_SPECIAL = re.compile(r"__|[./-]")
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "/": "__slash__", "-": "__dash__"}
_RESERVED = frozenset(
    (
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    )
)
_METADATA: Schema = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}
_EMBEDDED: Mapping[str, Schema] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": _METADATA,
}
_FORMATS = {"byte": BYTES, "duration": DURATION, "date": TIMESTAMP, "date-time": TIMESTAMP}
# Upstream reckons with keys of no length: their cost is that of the map's size.
_KEY = Type("string", most=0)
# The least that a value of each type takes in JSON.
_LEAST = {"boolean": 4, "string": 2, "array": 2, "object": 2}
_LEAST_OF_FORMATS = {"duration": 4, "date": 12, "date-time": 21}


def escaped(name: str) -> str | None:
    """A property's name as expressions write it; None for one that they can't reach."""
    if not _NAME.fullmatch(name):
        return None
    if name in _RESERVED:
        return f"__{name}__"
    return _SPECIAL.sub(lambda found: _ESCAPES[found.group()], name)


def type_of_schema(schema: Schema, *, is_resource: bool = False) -> Type | None:
    """The type, None for what expressions can't see. `is_resource` adds the fields that every
    object of the API has, as `x-kubernetes-embedded-resource` does."""
    if schema.get("x-kubernetes-int-or-string"):
        return DYN
    kind = schema.get("type", "")
    if kind == "object":
        embedded = is_resource or bool(schema.get("x-kubernetes-embedded-resource"))
        return _object_type(schema, embedded=embedded)
    if kind == "array":
        return _array_type(schema)
    if kind == "string":
        return _string_type(schema)
    if not kind and schema.get("x-kubernetes-preserve-unknown-fields"):
        return DYN
    return {"boolean": BOOL, "integer": INT, "number": DOUBLE}.get(kind)


def _object_type(schema: Schema, *, embedded: bool) -> Type | None:
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        value = type_of_schema(more)
        if value is None:
            return None
        most = schema.get("maxProperties")
        fits = (LARGEST_REQUEST - 2) // (_least(more) + 6)
        return map_of(_KEY, value, fits if most is None else int(most))
    properties: dict[str, Any] = dict(schema.get("properties") or {})
    if embedded:
        properties |= _EMBEDDED
    elif not properties and schema.get("x-kubernetes-preserve-unknown-fields"):
        return DYN
    fields: dict[str, tuple[str, Type]] = {}
    for name, it in properties.items():
        known, kind = escaped(name), type_of_schema(it)
        if known is not None and kind is not None:
            fields[known] = (name, kind)
    return object_of(fields)


def _array_type(schema: Schema) -> Type | None:
    items = schema.get("items")
    element = type_of_schema(items) if isinstance(items, Mapping) else None
    if element is None or items is None:
        return None
    most = schema.get("maxItems")
    fits = (LARGEST_REQUEST - 2) // (_least(items) + 1)
    return list_of(element, fits if most is None else int(most))


def _string_type(schema: Schema) -> Type:
    known = _FORMATS.get(schema.get("format", ""))
    if known is not None:
        return known
    return Type("string", most=_longest(schema))


def _longest(schema: Schema) -> int:
    """The most bytes of a string: a character, which is what `maxLength` counts, takes four."""
    if schema.get("maxLength") is not None:
        return 4 * int(schema["maxLength"])
    values = [len(it) for it in schema.get("enum") or () if isinstance(it, str)]
    return max(values) if values else LARGEST_REQUEST - 2


def _least(schema: Schema) -> int:
    """The fewest bytes that a value takes in a request."""
    if schema.get("x-kubernetes-int-or-string"):
        return 1
    kind = schema.get("type", "")
    if kind != "object":
        return _LEAST_OF_FORMATS.get(schema.get("format", ""), _LEAST.get(kind, 1))
    properties = schema.get("properties") or {}
    needed = [
        it
        for it in schema.get("required") or ()
        if it in properties and "default" not in properties[it]
    ]
    return 2 + sum(len(it) + 4 + _least(properties[it]) for it in needed)
