"""The schema of one version of a custom resource, read into records that others compile.

It reads what the structural part says (types, pruning, list types, defaults); the keywords that
only judge values stay in `keywords`. Whether a schema is structural at all is judged elsewhere.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.schema.definitions import Schema

OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
MAXIMUM_DEPTH = 150
_RESERVED = ("apiVersion", "kind", "metadata")


class Structural(msgspec.Struct, frozen=True):
    """One place in a schema. `values` is the schema of a map's values.

    `has_default` tells a default of null from none.
    """

    type: str = ""
    nullable: bool = False
    preserves: bool = False
    is_embedded: bool = False
    is_int_or_string: bool = False
    properties: dict[str, "Structural"] = {}
    items: "Structural | None" = None
    values: "Structural | None" = None
    has_default: bool = False
    default: Any = None
    list_type: str = ""
    list_map_keys: tuple[str, ...] = ()
    map_type: str = ""
    rules: tuple[Object, ...] = ()
    keywords: Object = {}

    @property
    def children(self) -> Iterator["Structural"]:
        """The schemas directly below this one."""
        yield from self.properties.values()
        if self.items is not None:
            yield self.items
        if self.values is not None:
            yield self.values


NOTHING_SAID = Structural(type="object", preserves=True)
"""The schema of a version that brings none; it keeps everything."""


def parse(raw: Object) -> Structural:
    """Read a schema that has been found structural."""
    items, values = raw.get("items"), raw.get("additionalProperties")
    keeps = raw.get("x-kubernetes-preserve-unknown-fields") is True
    return Structural(
        type=raw.get("type", ""),
        nullable=raw.get("nullable") is True,
        preserves=keeps,
        is_embedded=raw.get("x-kubernetes-embedded-resource") is True,
        is_int_or_string=raw.get("x-kubernetes-int-or-string") is True,
        properties={key: parse(member) for key, member in (raw.get("properties") or {}).items()},
        items=parse(items) if isinstance(items, dict) else None,
        values=_values(values),
        has_default="default" in raw,
        default=raw.get("default"),
        list_type=raw.get("x-kubernetes-list-type", ""),
        list_map_keys=tuple(raw.get("x-kubernetes-list-map-keys") or ()),
        map_type=raw.get("x-kubernetes-map-type", ""),
        rules=tuple(raw.get("x-kubernetes-validations") or ()),
        keywords=raw,
    )


def _values(raw: Any) -> Structural | None:
    if isinstance(raw, dict):
        return parse(raw)
    return Structural(preserves=True) if raw is True else None


def as_definition(schema: Structural, *, is_root: bool = True) -> Schema:
    """The same in the shape of the published definitions: for server-side apply."""
    if schema.is_int_or_string:
        return Schema(type="int-or-string")
    if schema.type == "":
        return Schema(type="any")
    properties = {
        key: as_definition(member, is_root=False) for key, member in schema.properties.items()
    }
    if is_root or schema.is_embedded:
        properties |= {"apiVersion": Schema(type="string"), "kind": Schema(type="string")}
        properties["metadata"] = Schema(ref=OBJECT_META)
    return Schema(
        type=schema.type,
        properties=properties,
        items=None if schema.items is None else as_definition(schema.items, is_root=False),
        values=None if schema.values is None else as_definition(schema.values, is_root=False),
        list_type=schema.list_type,
        list_map_keys=schema.list_map_keys,
        map_type=schema.map_type,
    )


def is_reserved(key: str) -> bool:
    """Whether a resource has this field whatever its schema says."""
    return key in _RESERVED
