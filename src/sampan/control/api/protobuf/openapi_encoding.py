"""OpenAPI documents in the protobuf form of client-go (gnostic's openapi.v2 and openapi.v3).

A document's JSON is written by two tables of messages: for each, its members by their JSON names,
with the field's number and type. A type is a scalar, `any` (any value, as YAML text) or a message;
`*` before it means a list. Under "*" stands the type of members whose names are not fixed, each a
message of a name and a value; under "x-" the field of the extensions. Where a value may be one of
several messages, `_CHOICES` picks it. Fields are proto3's: a zero is not written.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sampan.foundation.wire.protobuf import BYTES, FIXED64, VARINT, key, sized, varint
from sampan.kubernetes.kinds.kind import Object

VERSION_2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
VERSION_3_TYPE = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"

_Fields = Mapping[str, tuple[int, str]]
_Choice = Callable[[Any], tuple[int, str]]
_encode = msgspec.json.Encoder().encode

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_BOUNDS: tuple[tuple[str, str], ...] = (
    ("multipleOf", "double"),
    ("maximum", "double"),
    ("exclusiveMaximum", "bool"),
    ("minimum", "double"),
    ("exclusiveMinimum", "bool"),
    ("maxLength", "int64"),
    ("minLength", "int64"),
    ("pattern", "string"),
    ("maxItems", "int64"),
    ("minItems", "int64"),
    ("uniqueItems", "bool"),
    ("maxProperties", "int64"),
    ("minProperties", "int64"),
    ("required", "*string"),
    ("enum", "*any"),
)


def _bounds(first: int) -> dict[str, tuple[int, str]]:
    """The limits of a schema, which have consecutive numbers in both versions."""
    return {name: (first + position, kind) for position, (name, kind) in enumerate(_BOUNDS)}


_VERSION_2: dict[str, _Fields] = {
    "Document": {
        "swagger": (1, "string"),
        "info": (2, "Info"),
        "paths": (8, "Paths"),
        "definitions": (9, "Schemas"),
        "security": (12, "*SecurityRequirement"),
        "securityDefinitions": (13, "SecurityDefinitions"),
    },
    "Info": {"title": (1, "string"), "version": (2, "string"), "description": (3, "string")},
    "Paths": {"*": (2, "PathItem")},
    "PathItem": {
        **{method: (2 + position, "Operation") for position, method in enumerate(_METHODS)},
        "parameters": (9, "*ParameterOrReference"),
        "x-": (10, ""),
    },
    "Operation": {
        "tags": (1, "*string"),
        "description": (3, "string"),
        "operationId": (5, "string"),
        "produces": (6, "*string"),
        "consumes": (7, "*string"),
        "parameters": (8, "*ParameterOrReference"),
        "responses": (9, "Responses"),
        "schemes": (10, "*string"),
        "x-": (13, ""),
    },
    "BodyParameter": {
        "description": (1, "string"),
        "name": (2, "string"),
        "in": (3, "string"),
        "required": (4, "bool"),
        "schema": (5, "Schema"),
    },
    "QueryParameter": {
        "required": (1, "bool"),
        "in": (2, "string"),
        "description": (3, "string"),
        "name": (4, "string"),
        "type": (6, "string"),
        "format": (7, "string"),
        "uniqueItems": (20, "bool"),
    },
    "PathParameter": {
        "required": (1, "bool"),
        "in": (2, "string"),
        "description": (3, "string"),
        "name": (4, "string"),
        "type": (5, "string"),
        "format": (6, "string"),
        "uniqueItems": (19, "bool"),
    },
    "Responses": {"*": (1, "ResponseOrReference")},
    "Response": {"description": (1, "string"), "schema": (2, "ResponseSchema")},
    "Schemas": {"*": (1, "Schema")},
    "Schema": {
        "$ref": (1, "string"),
        "format": (2, "string"),
        "title": (3, "string"),
        "description": (4, "string"),
        "default": (5, "any"),
        **_bounds(6),
        "additionalProperties": (21, "AdditionalProperties"),
        "type": (22, "Type"),
        "items": (23, "Items"),
        "allOf": (24, "*Schema"),
        "properties": (25, "Schemas"),
        "x-": (31, ""),
    },
    "SecurityRequirement": {"*": (1, "Strings")},
    "Strings": {"": (1, "*string")},
    "Type": {"": (1, "*string")},
    "Items": {"": (1, "*Schema")},
    "Reference": {"$ref": (1, "string"), "description": (2, "string")},
    "SecurityDefinitions": {"*": (1, "SecurityDefinition")},
    "ApiKey": {
        "type": (1, "string"),
        "name": (2, "string"),
        "in": (3, "string"),
        "description": (4, "string"),
    },
}
_VERSION_3: dict[str, _Fields] = {
    "Document": {
        "openapi": (1, "string"),
        "info": (2, "Info"),
        "paths": (4, "Paths"),
        "components": (5, "Components"),
        "security": (6, "*SecurityRequirement"),
    },
    "Info": {"title": (1, "string"), "description": (2, "string"), "version": (6, "string")},
    "Paths": {"*": (1, "PathItem")},
    "PathItem": {
        **{method: (4 + position, "Operation") for position, method in enumerate(_METHODS)},
        "parameters": (13, "*ParameterOrReference"),
        "x-": (14, ""),
    },
    "Operation": {
        "tags": (1, "*string"),
        "description": (3, "string"),
        "operationId": (5, "string"),
        "parameters": (6, "*ParameterOrReference"),
        "requestBody": (7, "RequestBodyOrReference"),
        "responses": (8, "Responses"),
        "x-": (13, ""),
    },
    "Parameter": {
        "name": (1, "string"),
        "in": (2, "string"),
        "description": (3, "string"),
        "required": (4, "bool"),
        "schema": (10, "SchemaOrReference"),
    },
    "RequestBody": {
        "description": (1, "string"),
        "content": (2, "MediaTypes"),
        "required": (3, "bool"),
    },
    "MediaTypes": {"*": (1, "MediaType")},
    "MediaType": {"schema": (1, "SchemaOrReference")},
    "Responses": {"*": (2, "ResponseOrReference")},
    "Response": {"description": (1, "string"), "content": (3, "MediaTypes")},
    "Components": {"schemas": (1, "Schemas"), "securitySchemes": (7, "SecuritySchemes")},
    "Schemas": {"*": (1, "SchemaOrReference")},
    "Schema": {
        "nullable": (1, "bool"),
        "title": (9, "string"),
        **_bounds(10),
        "type": (25, "string"),
        "allOf": (26, "*SchemaOrReference"),
        "oneOf": (27, "*SchemaOrReference"),
        "anyOf": (28, "*SchemaOrReference"),
        "not": (29, "Schema"),
        "items": (30, "Items"),
        "properties": (31, "Schemas"),
        "additionalProperties": (32, "AdditionalProperties"),
        "default": (33, "Default"),
        "description": (34, "string"),
        "format": (35, "string"),
        "x-": (36, ""),
    },
    "Items": {"": (1, "*SchemaOrReference")},
    "Reference": {"$ref": (1, "string"), "description": (3, "string")},
    "SecurityRequirement": {"*": (1, "Strings")},
    "Strings": {"": (1, "*string")},
    "SecuritySchemes": {"*": (1, "SecuritySchemeOrReference")},
    "SecurityScheme": {
        "type": (1, "string"),
        "description": (2, "string"),
        "name": (3, "string"),
        "in": (4, "string"),
    },
}


def _or_reference(message: str) -> _Choice:
    return lambda value: (2, "Reference") if "$ref" in value else (1, message)


def _additional(schema: str) -> _Choice:
    return lambda value: (2, "bool") if isinstance(value, bool) else (1, schema)


def _default(value: Any) -> tuple[int, str]:
    """gnostic has no place for a default that is an object or a list."""
    if isinstance(value, bool):
        return 2, "bool"
    if isinstance(value, str):
        return 3, "string"
    return (1, "double") if isinstance(value, int | float) else (0, "")


_CHOICES_2: dict[str, _Choice] = {
    "ParameterOrReference": _or_reference("Parameter"),
    "Parameter": lambda value: (
        (1, "BodyParameter") if value.get("in") == "body" else (2, "OtherParameter")
    ),
    "OtherParameter": lambda value: (
        (4, "PathParameter") if value.get("in") == "path" else (3, "QueryParameter")
    ),
    "ResponseOrReference": _or_reference("Response"),
    "ResponseSchema": lambda _value: (1, "Schema"),
    "AdditionalProperties": _additional("Schema"),
    "SecurityDefinition": lambda _value: (2, "ApiKey"),
}
_CHOICES_3: dict[str, _Choice] = {
    "ParameterOrReference": _or_reference("Parameter"),
    "RequestBodyOrReference": _or_reference("RequestBody"),
    "ResponseOrReference": _or_reference("Response"),
    "SchemaOrReference": _or_reference("Schema"),
    "AdditionalProperties": _additional("SchemaOrReference"),
    "SecuritySchemeOrReference": _or_reference("SecurityScheme"),
    "Default": _default,
}


def version_2(document: Object) -> bytes:
    """A Swagger document."""
    return _Writer(_VERSION_2, _CHOICES_2).message("Document", document)


def version_3(document: Object) -> bytes:
    """An OpenAPI 3 document."""
    return _Writer(_VERSION_3, _CHOICES_3).message("Document", document)


class _Writer:
    """Writes by one table of messages."""

    def __init__(self, messages: Mapping[str, _Fields], choices: Mapping[str, _Choice]) -> None:
        self._messages = messages
        self._choices = choices

    def message(self, name: str, value: Any) -> bytes:
        if (choose := self._choices.get(name)) is not None:
            number, kind = choose(value)
            return self._field(number, kind, value) if number else b""
        fields = self._messages[name]
        if "" in fields:
            number, kind = fields[""]
            return self._field(number, kind, value if isinstance(value, list) else [value])
        return b"".join([self._member(fields, member, it) for member, it in value.items()])

    def _member(self, fields: _Fields, name: str, value: Any) -> bytes:
        if name in fields:
            return self._field(*fields[name], value)
        if name.startswith("x-") and "x-" in fields:
            return self._named(fields["x-"][0], name, _any(value))
        if "*" in fields:
            number, kind = fields["*"]
            return self._named(number, name, self.message(kind, value))
        return b""

    def _named(self, number: int, name: str, value: bytes) -> bytes:
        entry = sized(key(1, BYTES), name.encode()) + sized(key(2, BYTES), value)
        return sized(key(number, BYTES), entry)

    def _field(self, number: int, kind: str, value: Any) -> bytes:
        if kind.startswith("*"):
            return b"".join([self._field(number, kind[1:], item) for item in value])
        if kind == "string":
            return sized(key(number, BYTES), value.encode())
        if kind in ("bool", "int64"):
            return key(number, VARINT) + varint(int(value))
        if kind == "double":
            return key(number, FIXED64) + struct.pack("<d", value)
        data = _any(value) if kind == "any" else self.message(kind, value)
        return sized(key(number, BYTES), data)


def _any(value: Any) -> bytes:
    """JSON is YAML."""
    return sized(key(2, BYTES), _encode(value))
