"""What a custom resource's schema must be: structural, and of constructs that can be served.

The rules and their words are those of k8s.io/apiextensions-apiserver (`schema.ValidateStructural`
and `ValidateCustomResourceDefinitionOpenAPISchema`). Pure; a schema that passes can be read by
`structural.parse` and compiled.
"""

import sys
from collections.abc import Iterator
from typing import Any

from sampan.kubernetes.expressions.budget import Budget
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported
from sampan.kubernetes.schema import formats
from sampan.kubernetes.schema.default_rules import check_default
from sampan.kubernetes.schema.expression_checks import check_rules
from sampan.kubernetes.schema.list_type_rules import check_list_types
from sampan.kubernetes.schema.structural import MAXIMUM_DEPTH

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("$ref", "$schema", "id", "definitions", "dependencies", "patternProperties")
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_STRUCTURAL_ONLY = (
    "additionalProperties",
    "default",
    "description",
    "nullable",
    "title",
    "type",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
)
_SHAPES: dict[str, tuple[type, ...]] = {
    "type": (str,),
    "format": (str,),
    "pattern": (str,),
    "nullable": (bool,),
    "properties": (dict,),
    "required": (list,),
    "enum": (list,),
    "allOf": (list,),
    "anyOf": (list,),
    "oneOf": (list,),
    "not": (dict,),
    "items": (dict,),
    "additionalProperties": (dict, bool),
    "minimum": (int, float),
    "maximum": (int, float),
    "multipleOf": (int, float),
    "minLength": (int,),
    "maxLength": (int,),
    "minItems": (int,),
    "maxItems": (int,),
    "minProperties": (int,),
    "maxProperties": (int,),
    "x-kubernetes-list-map-keys": (list,),
    "x-kubernetes-list-type": (str,),
    "x-kubernetes-map-type": (str,),
    "x-kubernetes-validations": (list,),
}
_UNBOUNDED = sys.maxsize
# In units of what an expression costs: judging a place takes about ten microseconds.
_COST_OF_PLACE = 20
_ROOT, _MEMBER, _ITEM = "root", "member", "item"
_NO_TYPE = {
    _ROOT: "must not be empty at the root",
    _MEMBER: "must not be empty for specified object fields",
    _ITEM: "must not be empty for specified array items",
}


def check_schema(schema: Any, field: str) -> Iterator[Cause]:
    """The causes for which a version's openAPIV3Schema is refused; `field` is its path."""
    malformed = list(_check_shape(schema, field, 0, Budget(_UNBOUNDED)))
    yield from malformed
    if malformed:
        return
    if schema.get("type") not in ("object", None, ""):
        yield invalid(f"{field}.type", schema["type"], "must be object at the root")
    if schema.get("nullable"):
        yield forbidden(f"{field}.nullable", "nullable cannot be true at the root")
    broken = list(_check_place(schema, field, _ROOT))
    yield from broken
    if not broken:
        yield from check_default(schema, field)
        yield from check_rules(schema, field)


def _check_shape(schema: Any, field: str, depth: int, budget: Budget) -> Iterator[Cause]:
    """Every keyword has a value of its type, so that the rules below can read it.

    The budget is charged for all that is done with a place: who is in a hurry hears of a large
    schema early (TookTooLong).
    """
    budget.spend(_COST_OF_PLACE)
    if not isinstance(schema, dict):
        yield invalid(field, schema, "must be a schema")
        return
    if depth > MAXIMUM_DEPTH:
        yield forbidden(field, "the schema is nested too deeply")
        return
    for keyword, types in _SHAPES.items():
        value = schema.get(keyword)
        if value is None:
            continue
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            wanted = " or ".join(_names(types))
            yield invalid(f"{field}.{keyword}", value, f"must be of type {wanted}")
            return
    for name, below in _children(schema):
        yield from _check_shape(below, f"{field}.{name}", depth + 1, budget)


def _names(types: tuple[type, ...]) -> Iterator[str]:
    shown = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
    return (shown.get(it, "number") for it in types)


def _children(schema: Object) -> Iterator[tuple[str, Any]]:
    """All schemas directly below one, with how the path goes on."""
    for key, member in (schema.get("properties") or {}).items():
        yield f"properties[{key}]", member
    if schema.get("items") is not None:
        yield "items", schema["items"]
    if isinstance(schema.get("additionalProperties"), dict):
        yield "additionalProperties", schema["additionalProperties"]
    for junctor in _JUNCTORS:
        for index, branch in enumerate(schema.get(junctor) or ()):
            yield f"{junctor}[{index}]", branch
    if schema.get("not") is not None:
        yield "not", schema["not"]


def _check_place(schema: Object, field: str, level: str) -> Iterator[Cause]:
    """One place of the structural part, and all below it."""
    yield from _check_type(schema, field, level)
    yield from _check_forbidden(schema, field)
    yield from _check_extensions(schema, field)
    yield from _check_values(schema, field)
    yield from check_list_types(schema, field)
    if level == _ROOT or schema.get("x-kubernetes-embedded-resource"):
        yield from _check_metadata(schema, field)
    for name, below in _children(schema):
        path = f"{field}.{name}"
        if name.partition("[")[0] in (*_JUNCTORS, "not"):
            loose = bool(schema.get("x-kubernetes-int-or-string"))
            yield from _check_junctor(below, schema, path, loose=loose)
        elif name == "items":
            yield from _check_place(below, path, _ITEM)
        else:
            yield from _check_place(below, path, _MEMBER)


def _check_type(schema: Object, field: str, level: str) -> Iterator[Cause]:
    kind = schema.get("type") or ""
    if kind and kind not in _TYPES:
        yield unsupported(f"{field}.type", kind, _TYPES)
    free = schema.get("x-kubernetes-int-or-string") or schema.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    if not kind and (level == _ROOT or not free):
        yield required(f"{field}.type", _NO_TYPE[level])
    if kind == "array" and schema.get("items") is None:
        yield required(f"{field}.items", "must be specified")


def _check_forbidden(schema: Object, field: str) -> Iterator[Cause]:
    for keyword in _UNSUPPORTED:
        if schema.get(keyword):
            yield forbidden(f"{field}.{keyword}", f"{keyword} is not supported")
    if schema.get("additionalItems") is not None:
        yield forbidden(f"{field}.additionalItems", "additionalItems is not supported")
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{field}.uniqueItems", detail)
    values = schema.get("additionalProperties")
    if values is False:
        detail = "additionalProperties cannot be set to false"
        yield forbidden(f"{field}.additionalProperties", detail)
    if values is not None and schema.get("properties"):
        detail = "additionalProperties and properties are mutual exclusive"
        yield forbidden(f"{field}.additionalProperties", detail)


def _check_extensions(schema: Object, field: str) -> Iterator[Cause]:
    keeps = schema.get("x-kubernetes-preserve-unknown-fields")
    if keeps is False:
        path = f"{field}.x-kubernetes-preserve-unknown-fields"
        yield invalid(path, keeps, "must be true or undefined")
    if keeps and schema.get("type") not in ("object", None, ""):
        yield invalid(f"{field}.type", schema["type"], _only_object("preserve-unknown-fields"))
    if schema.get("x-kubernetes-embedded-resource"):
        if schema.get("type") != "object":
            detail = _only_object("embedded-resource")
            yield invalid(f"{field}.type", schema.get("type", ""), detail)
        if not keeps and not schema.get("properties"):
            detail = "must not be empty if x-kubernetes-embedded-resource is true "
            detail += "without x-kubernetes-preserve-unknown-fields"
            yield required(f"{field}.properties", detail)
    if schema.get("x-kubernetes-int-or-string"):
        detail = "must be empty if x-kubernetes-int-or-string is true"
        for keyword in ("type", "x-kubernetes-embedded-resource", "properties", "items"):
            if schema.get(keyword):
                yield forbidden(f"{field}.{keyword}", detail)


def _only_object(extension: str) -> str:
    return f"must be object if x-kubernetes-{extension} is true"


def _check_values(schema: Object, field: str) -> Iterator[Cause]:
    expression = schema.get("pattern")
    if expression:
        try:
            formats.pattern(expression)
        except formats.InvalidPattern as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield invalid(f"{field}.pattern", expression, detail)
    for name in schema.get("required") or ():
        if not isinstance(name, str):
            yield invalid(f"{field}.required", name, "must be a string")


def _check_metadata(schema: Object, field: str) -> Iterator[Cause]:
    """Of a resource's metadata a schema may restrict only the names."""
    properties = schema.get("properties") or {}
    metadata = properties.get("metadata")
    if metadata is None:
        return
    path = f"{field}.properties[metadata]"
    if metadata.get("type") != "object":
        yield invalid(f"{path}.type", metadata.get("type", ""), "must be object")
    names = metadata.get("properties") or {}
    others = {"properties", "type", "description", "title"}
    if set(names) - {"name", "generateName"} or set(metadata) - others:
        detail = "must not specify anything other than name and generateName, "
        yield forbidden(path, detail + "but metadata is implicitly specified")


def _check_junctor(branch: Object, place: Object, field: str, *, loose: bool) -> Iterator[Cause]:
    """A junctor only judges values; what it speaks of must be specified outside of it.

    `loose` is the place of an int-or-string, whose branches may name types.
    """
    for keyword in _STRUCTURAL_ONLY:
        if keyword in branch and not (loose and keyword == "type"):
            if keyword in ("description", "title", "nullable") and not branch[keyword]:
                continue
            yield forbidden(f"{field}.{keyword}", "must be empty to be structural")
    known = place.get("properties") or {}
    values = place.get("additionalProperties")
    for key, member in (branch.get("properties") or {}).items():
        below = known.get(key) or (values if isinstance(values, dict) else None)
        if below is None:
            path = _outside(field, f"properties[{key}]")
            yield required(path, f"because it is defined in {field}.properties[{key}]")
            continue
        yield from _check_junctor(member, below, f"{field}.properties[{key}]", loose=False)
    if isinstance(branch.get("items"), dict):
        if place.get("items") is None:
            yield required(_outside(field, "items"), f"because it is defined in {field}.items")
        else:
            items = place["items"]
            yield from _check_junctor(branch["items"], items, f"{field}.items", loose=False)
    for junctor in _JUNCTORS:
        for index, below in enumerate(branch.get(junctor) or ()):
            yield from _check_junctor(below, place, f"{field}.{junctor}[{index}]", loose=loose)
    if branch.get("not"):
        yield from _check_junctor(branch["not"], place, f"{field}.not", loose=loose)
    yield from _check_values(branch, field)


def _outside(field: str, name: str) -> str:
    """The path of the same place in the structural part."""
    parts = field.split(".")
    while parts and parts[-1].partition("[")[0] in (*_JUNCTORS, "not"):
        parts.pop()
    return ".".join((*parts, name))
