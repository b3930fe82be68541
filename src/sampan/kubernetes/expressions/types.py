"""The static types of expressions: enough to refuse what can't work before it runs.

`dyn` stands for what is known only when the expression runs; it goes with everything.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from sampan.kubernetes.expressions import values


class Type(msgspec.Struct, frozen=True):
    """A type with its parameters; an object has the fields that `fields` tells of.

    `most` bounds the size of texts, lists and maps where a schema says it, for estimates of
    cost; -1 where none does.
    """

    name: str
    parameters: tuple["Type", ...] = ()
    fields: "Fields | None" = None
    most: int = -1

    def __str__(self) -> str:
        shown = _SHOWN.get(self.name, self.name)
        if not self.parameters:
            return shown
        return f"{shown}({', '.join(map(str, self.parameters))})"


class Fields(msgspec.Struct, frozen=True):
    """The fields of an object: by the name in expressions, the name in JSON and the type."""

    by_name: Mapping[str, tuple[str, Type]]
    required: frozenset[str] = frozenset()


DYN = Type("dyn")
INT, UINT, DOUBLE, BOOL = Type("int"), Type("uint"), Type("double"), Type("bool")
STRING, BYTES, NULL = Type("string"), Type("bytes"), Type("null_type")
TIMESTAMP, DURATION = Type("google.protobuf.Timestamp"), Type("google.protobuf.Duration")
TYPE = Type("type", (DYN,))
LIST, MAP, OPTIONAL = (
    Type("list", (DYN,)),
    Type("map", (DYN, DYN)),
    Type("optional_type", (DYN,)),
)
_SHOWN = {
    "google.protobuf.Timestamp": "timestamp",
    "google.protobuf.Duration": "duration",
    "null_type": "null",
}

_OF_CLASS: dict[type, Type] = {
    bool: BOOL,
    int: INT,
    values.Uint: UINT,
    float: DOUBLE,
    str: STRING,
    bytes: BYTES,
    type(None): NULL,
}


def of_constant(value: Any) -> Type:
    kind = _OF_CLASS[type(value)]
    return msgspec.structs.replace(kind, most=len(value)) if kind in (STRING, BYTES) else kind


def list_of(element: Type, most: int = -1) -> Type:
    return Type("list", (element,), most=most)


def map_of(key: Type, value: Type, most: int = -1) -> Type:
    return Type("map", (key, value), most=most)


def optional_of(value: Type) -> Type:
    return Type("optional_type", (value,))


def object_of(
    fields: Mapping[str, tuple[str, Type]],
    name: str = "object",
    required: frozenset[str] = frozenset(),
) -> Type:
    return Type(name, fields=Fields(fields, required))


def abstract(name: str) -> Type:
    """A type of a library's own."""
    return Type(name)


def accepts(wanted: Type, given: Type) -> bool:
    """Whether a value of one type may stand where another is wanted."""
    if wanted.name == "dyn" or given.name == "dyn":
        return True
    if wanted.fields is not None or given.fields is not None:
        # Objects are maps when the expression runs.
        return wanted.name == given.name or "map" in (wanted.name, given.name)
    if wanted.name != given.name:
        return given.name == "null_type" and wanted.name in _NULLABLE
    return all(map(accepts, wanted.parameters, given.parameters))


def comparable(one: Type, other: Type) -> bool:
    """Whether values of two types may be asked to be equal."""
    return accepts(one, other) or accepts(other, one)


# Of these null may be a value (langdef, "Default values"): wrappers and messages.
_NULLABLE = frozenset(
    ("google.protobuf.Timestamp", "google.protobuf.Duration", "optional_type", "object")
)


def joined(one: Type, other: Type) -> Type:
    """The type of what is one or the other."""
    if one.name == other.name and one.parameters == other.parameters and one.fields == other.fields:
        return one if one.most >= other.most or one.most < 0 else other
    if one.name == "null_type" and other.name in _NULLABLE:
        return other
    if other.name == "null_type" and one.name in _NULLABLE:
        return one
    if one.name == other.name and one.parameters:
        return Type(one.name, tuple(map(joined, one.parameters, other.parameters)))
    return DYN


ResultType = Type | Callable[[tuple[Type, ...]], Type]


def element_of(kind: Type) -> Type:
    """Of a list, an optional or a map's values; `dyn` where it isn't known."""
    return kind.parameters[-1] if kind.parameters else DYN


def walk(kind: Type) -> Iterator[Type]:
    """A type and its parameters."""
    yield kind
    for parameter in kind.parameters:
        yield from walk(parameter)
