"""Definitions as OpenAPI schemas: version 3, and version 2 where a client asks for that."""

from typing import Any, Literal

import msgspec

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.schema.definitions import Schema, definition, descriptions, reachable

Edition = Literal[2, 3]
_ROOTS: dict[Edition, str] = {2: "#/definitions/", 3: "#/components/schemas/"}
_EXTENSIONS = (
    ("merge_key", "x-kubernetes-patch-merge-key"),
    ("list_type", "x-kubernetes-list-type"),
    ("map_type", "x-kubernetes-map-type"),
)
# Types that JSON schema has no word for, as each edition of OpenAPI writes them.
_SPECIAL: dict[tuple[str, Edition], Object] = {
    ("quantity", 2): {"type": "string"},
    ("quantity", 3): {"oneOf": [{"type": "string"}, {"type": "number"}]},
    ("int-or-string", 2): {"type": "string", "format": "int-or-string"},
    ("int-or-string", 3): {
        "format": "int-or-string",
        "oneOf": [{"type": "integer"}, {"type": "string"}],
    },
    ("any", 2): {},
    ("any", 3): {},
}


def schemas(roots: tuple[str, ...], edition: Edition) -> Object:
    """The schemas of all definitions that `roots` lead to, by name."""
    return {name: _definition(name, edition) for name in reachable(roots)}


def reference(name: str, edition: Edition) -> Object:
    return {"$ref": _ROOTS[edition] + name}


def _definition(name: str, edition: Edition) -> Object:
    schema = definition(name)
    prose = descriptions().get(name, {})
    shown = _schema(schema, prose.get("", ""), edition)
    if schema.properties:
        shown["properties"] = {
            key: _schema(member, prose.get(key, ""), edition)
            for key, member in schema.properties.items()
        }
    if schema.required:
        shown["required"] = list(schema.required)
    if schema.kinds:
        shown["x-kubernetes-group-version-kind"] = [
            {"group": group, "version": version, "kind": kind}
            for group, version, kind in schema.kinds
        ]
    if schema.unions:
        shown["x-kubernetes-unions"] = [msgspec.msgpack.decode(union) for union in schema.unions]
    return shown


def _schema(schema: Schema, prose: str, edition: Edition) -> Object:
    shown: Object = {"description": prose} if prose else {}
    if schema.ref:
        target = reference(schema.ref, edition)
        # In version 3 a reference may have no siblings.
        shown |= target if edition == 2 or not prose else {"allOf": [target]}
    elif (schema.type, edition) in _SPECIAL:
        shown |= _SPECIAL[schema.type, edition]
    else:
        shown["type"] = schema.type
    if schema.format:
        shown["format"] = "date-time" if schema.format == "micro-time" else schema.format
    if schema.items is not None:
        shown["items"] = _schema(schema.items, "", edition)
    if schema.values is not None:
        shown["additionalProperties"] = _schema(schema.values, "", edition)
    return shown | _extensions(schema)


def _extensions(schema: Schema) -> Object:
    shown: dict[str, Any] = {
        keyword: getattr(schema, field) for field, keyword in _EXTENSIONS if getattr(schema, field)
    }
    if schema.list_map_keys:
        shown["x-kubernetes-list-map-keys"] = list(schema.list_map_keys)
    if schema.patch_strategies:
        shown["x-kubernetes-patch-strategy"] = ",".join(schema.patch_strategies)
    return shown
