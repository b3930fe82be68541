"""A default in a custom resource's schema must itself be what the schema allows.

Each default is held to the schema of its place as an object would be: with nothing to prune, and
valid once it has been filled in.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, invalid
from sampan.kubernetes.schema.pruning import Path, compile_defaults, compile_pruner
from sampan.kubernetes.schema.structural import Structural, parse
from sampan.kubernetes.schema.structure import render
from sampan.kubernetes.schema.value_validation import compile_check


def check_default(schema: Object, field: str) -> Iterator[Cause]:
    """The causes for defaults anywhere in a structural schema; `field` is its path."""
    if '"default":' in msgspec.json.encode(schema).decode():
        yield from _check_place(parse(schema), field, in_metadata=False, is_root=True)


def _check_place(
    schema: Structural, field: str, *, in_metadata: bool, is_root: bool = False
) -> Iterator[Cause]:
    if schema.has_default:
        if is_root:
            yield forbidden(f"{field}.default", "must not be set at the root")
        elif in_metadata:
            yield forbidden(f"{field}.default", "must not be set in top-level metadata")
        else:
            yield from _check_value(schema, f"{field}.default")
    for key, member in schema.properties.items():
        path = f"{field}.properties[{key}]"
        of_metadata = in_metadata or (is_root and key == "metadata")
        yield from _check_place(member, path, in_metadata=of_metadata)
    if schema.items is not None:
        yield from _check_place(schema.items, f"{field}.items", in_metadata=in_metadata)
    if schema.values is not None:
        path = f"{field}.additionalProperties"
        yield from _check_place(schema.values, path, in_metadata=in_metadata)


def _check_value(schema: Structural, field: str) -> Iterator[Cause]:
    value: Any = msgspec.json.decode(msgspec.json.encode(schema.default))
    dropped: list[Path] = []
    compile_pruner(schema, is_resource=schema.is_embedded)(value, None, dropped)
    if dropped:
        yield invalid(field, schema.default, f"must not have unknown fields: {render(dropped[0])}")
        return
    fill = compile_defaults(schema)
    if fill is not None:
        fill(value)
    causes: list[Cause] = []
    compile_check(schema)(value, None, None, causes)
    for cause in causes:
        below = "" if cause.field == "<nil>" else f".{cause.field}"
        yield Cause(f"{field}{below}", cause.reason, cause.message)
