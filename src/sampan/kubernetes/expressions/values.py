"""The values of CEL: plain JSON trees, and a class for each type that JSON has not.

bool, int, float, str, bytes, None, list and dict stand for themselves. What they are called,
when two are equal and how they compare is here.
"""

from math import isnan
from typing import Any

import msgspec

from sampan.kubernetes.expressions.budget import Budget
from sampan.kubernetes.expressions.errors import EvaluationFailed

SECOND = 1_000_000_000


class Uint(int):
    """An unsigned 64-bit integer."""

    __slots__ = ()


class Duration(msgspec.Struct, frozen=True, order=True):
    """A span of time in nanoseconds."""

    nanoseconds: int


class Timestamp(msgspec.Struct, frozen=True, order=True):
    """A moment, in nanoseconds since 1970 in UTC."""

    nanoseconds: int


class TypeValue(msgspec.Struct, frozen=True):
    """What `type(x)` gives."""

    name: str


class Optional(msgspec.Struct, frozen=True):
    """A value that may be absent."""

    present: bool
    value: Any = None


ABSENT = Optional(False)


class Abstract:
    """A value of a library's own type. `type_name` is what CEL calls it."""

    __slots__ = ()
    type_name = ""


class Fields(Abstract):
    """Something with fields that are worked out when they are asked for."""

    __slots__ = ()

    def field(self, name: str, budget: Budget) -> Any:
        """What working it out costs is paid from the budget of who asks.

        Raises EvaluationFailed when it has none of that name, BudgetExceeded.
        """
        raise NotImplementedError

    def has_field(self, name: str) -> bool:
        raise NotImplementedError


_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    type(None): "null_type",
    list: "list",
    tuple: "list",
    dict: "map",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
    TypeValue: "type",
    Optional: "optional_type",
}
_SHOWN = {
    "google.protobuf.Timestamp": "timestamp",
    "google.protobuf.Duration": "duration",
    "null_type": "null",
}
_NUMBERS = (int, Uint, float)


def type_name(value: Any) -> str:
    """What CEL calls the type of a value."""
    name = _NAMES.get(type(value))
    if name is not None:
        return name
    if isinstance(value, Abstract):
        return value.type_name
    raise EvaluationFailed(f"unsupported conversion from {type(value).__name__}")


def no_such_overload(function: str, *arguments: Any) -> EvaluationFailed:
    """The error of a function that does not take values of these types."""
    shown = ", ".join(_shown_type(it) for it in arguments)
    return EvaluationFailed(f"no such overload: {function}({shown})")


def _shown_type(value: Any) -> str:
    name = type_name(value)
    return _SHOWN.get(name, name)


def equal(left: Any, right: Any) -> bool:
    """CEL's `==`: numbers by value whatever their types, others only within one type."""
    one, other = type(left), type(right)
    if one in _NUMBERS:
        return other in _NUMBERS and bool(left == right)
    if one in (list, tuple):
        same_length = other in (list, tuple) and len(left) == len(right)
        return same_length and all(map(equal, left, right))
    if one is not other:
        return False
    if one is dict:
        return len(left) == len(right) and all(
            (found := member(right, key, _MISSING)) is not _MISSING and equal(value, found)
            for key, value in left.items()
        )
    if one is Optional:
        return left.present == right.present and equal(left.value, right.value)
    return bool(left == right)


_MISSING = object()


def member(mapping: dict[Any, Any], key: Any, otherwise: Any) -> Any:
    """A map's value for a key; a bool is never taken for a number, nor 1.5 for 1."""
    if type(key) is float and key.is_integer():
        key = int(key)
    found = mapping.get(key, _MISSING)
    if found is _MISSING:
        return otherwise
    # Python holds True and 1 for the same key.
    if type(key) is bool or (type(key) in _NUMBERS and key in (0, 1)):
        stored = next(it for it in mapping if it == key)
        if (type(stored) is bool) != (type(key) is bool):
            return otherwise
    return found


def searched(mapping: dict[Any, Any], key: Any) -> int:
    """What `member` costs where it has to look through the keys."""
    ambiguous = type(key) is not str and key in (0, 1)
    return len(mapping) // 10 if ambiguous else 0


def contains(sequence: Any, wanted: Any) -> bool:
    return any(equal(it, wanted) for it in sequence)


_ORDERED = (str, bytes, bool, Timestamp, Duration)


def compare(function: str, left: Any, right: Any) -> int:
    """-1, 0 or 1. Raises EvaluationFailed for what has no order."""
    one, other = type(left), type(right)
    if one in _NUMBERS and other in _NUMBERS:
        if isnan(left) or isnan(right):
            raise EvaluationFailed("NaN values cannot be ordered")
    elif one is not other or one not in _ORDERED:
        raise no_such_overload(function, left, right)
    return int(left > right) - int(left < right)
