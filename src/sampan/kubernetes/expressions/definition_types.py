"""The static types of kinds, from the schemas that the server itself holds objects to.

Published definitions are large and some hold themselves: an object's fields become types when
an expression names them.
"""

from collections.abc import Iterator, Mapping

from sampan.kubernetes.expressions.schema_types import escaped
from sampan.kubernetes.expressions.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Fields,
    Type,
    list_of,
    map_of,
)
from sampan.kubernetes.schema.definitions import Schema, resolve

_SIMPLE = {"boolean": BOOL, "integer": INT, "number": DOUBLE, "quantity": STRING}
_FORMATS = {
    "byte": BYTES,
    "date": TIMESTAMP,
    "date-time": TIMESTAMP,
    "micro-time": TIMESTAMP,
    "duration": DURATION,
}


class _Members(Mapping[str, tuple[str, Type]]):
    """The fields of an object; two are equal when they are the same one."""

    def __init__(self, properties: Mapping[str, Schema]) -> None:
        known = {name: escaped(name) for name in properties}
        self._names = {shown: name for name, shown in known.items() if shown is not None}
        # Policies may write reserved words such as `namespace` as they are.
        self._names |= {name: name for name, shown in known.items() if shown == f"__{name}__"}
        self._properties = properties

    def __getitem__(self, shown: str) -> tuple[str, Type]:
        name = self._names[shown]
        return name, type_of_definition(self._properties[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def type_of_definition(schema: Schema) -> Type:
    """`dyn` for what the schema leaves open."""
    whole = resolve(schema)
    if whole.type == "object":
        if whole.properties:
            return Type(schema.ref or "object", fields=Fields(_Members(whole.properties)))
        return map_of(STRING, type_of_definition(whole.values)) if whole.values else DYN
    if whole.type == "array":
        return list_of(type_of_definition(whole.items)) if whole.items is not None else DYN
    if whole.type == "string":
        return _FORMATS.get(whole.format, STRING)
    return _SIMPLE.get(whole.type, DYN)
