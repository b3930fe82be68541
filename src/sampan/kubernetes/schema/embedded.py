"""Whole objects within custom resources: `x-kubernetes-embedded-resource`.

They have apiVersion, kind and metadata of the published form, whatever the schema around says
(k8s.io/apiextensions-apiserver `schema/objectmeta`).
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import required
from sampan.kubernetes.schema import structure
from sampan.kubernetes.schema.pruning import Path
from sampan.kubernetes.schema.structural import OBJECT_META, Structural
from sampan.kubernetes.schema.structure import WrongType, render

_Found = Iterator[tuple[Object, Path]]
Find = Callable[[Any, Path], _Found]


class Metadata(msgspec.Struct, frozen=True):
    """What a look at the metadata of an object and of those in it has met."""

    unknown: list[str]
    causes: list[Cause]


def compile_finder(schema: Structural) -> Find | None:
    """`find(value, path)`: the objects within a value, with their paths; None when the schema
    has no place for any."""
    members = {
        key: find
        for key, member in schema.properties.items()
        if (find := compile_finder(member)) is not None
    }
    items = None if schema.items is None else compile_finder(schema.items)
    values = None if schema.values is None else compile_finder(schema.values)
    is_embedded = schema.is_embedded
    if not (members or items or values or is_embedded):
        return None

    def found(value: Any, path: Path) -> _Found:
        if type(value) is dict:
            if is_embedded:
                yield value, path
            for key, member in value.items():
                below = members.get(key, values)
                if below is not None:
                    yield from below(member, (path, key))
        elif type(value) is list and items is not None:
            for index, item in enumerate(value):
                yield from items(item, (path, index))

    return found


def check_metadata_form(tree: Object, path: Path) -> Metadata:
    """Hold an object's metadata to its published form, in place. Raises WrongType."""
    metadata = tree.get("metadata")
    if metadata is None:
        tree.pop("metadata", None)
        return Metadata([], [])
    place = render((path, "metadata"))
    if type(metadata) is not dict:
        raise WrongType(f"{place}: cannot unmarshal into Go value of type v1.ObjectMeta")
    found = structure.check(OBJECT_META, metadata)
    causes = [Cause(f"{place}.{it.field}", it.reason, it.message) for it in found.causes]
    return Metadata([f"{place}.{name}" for name in found.unknown], causes)


def check_type(tree: Object, path: Path) -> Iterator[Cause]:
    """An object says what it is."""
    for key in ("apiVersion", "kind"):
        if not isinstance(tree.get(key), str) or not tree[key]:
            yield required(render((path, key)), "must not be empty")
