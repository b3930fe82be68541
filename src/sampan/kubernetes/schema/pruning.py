"""Drops what a custom resource's schema doesn't know, and fills in what it has defaults for.

The rules are those of structural schemas in k8s.io/apiextensions-apiserver: unknown fields go,
unless their object keeps them; a null where none is allowed is as good as absent. Both work in
place; doing either twice changes nothing more.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.schema.structural import Structural, is_reserved

Path = tuple[Any, str | int] | None
"""A chain of (parent path, key or index); see `structure.render`."""
Prune = Callable[[Any, Path, list[Path]], None]
Fill = Callable[[Any], None]


def compile_pruner(schema: Structural, *, is_resource: bool = True) -> Prune:
    """`prune(value, path, dropped)`: drop unknown fields, adding their paths to `dropped`.

    Of a resource, apiVersion, kind and metadata stay as they are.
    """
    is_resource = is_resource or schema.is_embedded
    properties = schema.properties
    # Compiled when the first value comes: most of a large schema is hardly used.
    members: dict[str, Prune] = {}
    items = None if schema.items is None else compile_pruner(schema.items, is_resource=False)
    values = None if schema.values is None else compile_pruner(schema.values, is_resource=False)
    keeps = schema.preserves

    def prune(value: Any, path: Path, dropped: list[Path]) -> None:
        if type(value) is dict:
            _prune_object(value, path, dropped)
        elif type(value) is list and items is not None:
            for index, item in enumerate(value):
                if type(item) in (dict, list):
                    items(item, (path, index), dropped)

    def _prune_object(tree: Object, path: Path, dropped: list[Path]) -> None:
        gone: list[str] = []
        for key, value in tree.items():
            if is_resource and is_reserved(key):
                continue
            member = members.get(key)
            if member is None and key in properties:
                member = members[key] = compile_pruner(properties[key], is_resource=False)
            member = member or values
            if member is not None:
                if type(value) in (dict, list):
                    member(value, (path, key), dropped)
            elif not keeps:
                gone.append(key)
        for key in gone:
            dropped.append((path, key))
            del tree[key]

    return prune


def compile_defaults(schema: Structural) -> Fill | None:
    """`fill(value)`: drop nulls that aren't allowed and put defaults where nothing is.

    None when the schema can change nothing.
    """
    members = {key: compile_defaults(member) for key, member in schema.properties.items()}
    fills = {key: fill for key, fill in members.items() if fill is not None}
    defaults = {
        key: msgspec.json.encode(member.default)
        for key, member in schema.properties.items()
        if member.has_default
    }
    not_null = frozenset(key for key, member in schema.properties.items() if not _nullable(member))
    items = None if schema.items is None else compile_defaults(schema.items)
    values = None if schema.values is None else compile_defaults(schema.values)
    values_not_null = schema.values is not None and not _nullable(schema.values)
    item_default = _default(schema.items)
    if not (fills or defaults or not_null or items or values or values_not_null or item_default):
        return None

    def fill(value: Any) -> None:
        if type(value) is dict:
            _fill_object(value)
        elif type(value) is list:
            for index, item in enumerate(value):
                if item is None and item_default is not None:
                    value[index] = msgspec.json.decode(item_default)
                elif items is not None:
                    items(item)

    def _fill_object(tree: Object) -> None:
        nulls = [key for key, value in tree.items() if value is None and _refuses_null(key)]
        for key in nulls:
            del tree[key]
        for key, default in defaults.items():
            if key not in tree:
                tree[key] = msgspec.json.decode(default)
        for key, value in tree.items():
            below = fills.get(key) if key in members else values
            if below is not None and type(value) in (dict, list):
                below(value)

    def _refuses_null(key: str) -> bool:
        return key in not_null if key in members else values_not_null

    return fill


def _nullable(schema: Structural) -> bool:
    """A place of which nothing is said takes a null as any other value."""
    return schema.nullable or (not schema.type and not schema.is_int_or_string)


def _default(schema: Structural | None) -> bytes | None:
    if schema is None or not schema.has_default or schema.nullable:
        return None
    return msgspec.json.encode(schema.default)
