"""Arithmetic, comparison and membership; overflow is an error, as the language says."""

from collections.abc import Callable
from math import isnan
from typing import Any

from sampan.kubernetes.expressions.budget import traversal
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.lexer import LARGEST, LARGEST_UNSIGNED, SMALLEST
from sampan.kubernetes.expressions.times import duration, timestamp
from sampan.kubernetes.expressions.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    LIST,
    MAP,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    comparable,
    element_of,
    joined,
    list_of,
)
from sampan.kubernetes.expressions.values import (
    Uint,
    compare,
    contains,
    equal,
    member,
    searched,
)

LIBRARY = Library()
_MISSING = object()


def integer(value: int) -> int:
    """Raises EvaluationFailed for what 64 bits don't hold."""
    if not SMALLEST <= value <= LARGEST:
        raise EvaluationFailed("integer overflow")
    return value


def unsigned(value: int) -> Uint:
    """Raises EvaluationFailed for what 64 bits don't hold."""
    if not 0 <= value <= LARGEST_UNSIGNED:
        raise EvaluationFailed("unsigned integer overflow")
    return Uint(value)


def _quotient(one: int, other: int) -> int:
    """Toward zero, as machines divide."""
    if other == 0:
        raise EvaluationFailed("division by zero")
    count = abs(one) // abs(other)
    return integer(count if (one < 0) == (other < 0) else -count)


def _remainder(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationFailed("modulus by zero")
    rest = abs(one) % abs(other)
    return -rest if one < 0 else rest


def _divided(one: float, other: float) -> float:
    if other == 0.0:
        if one == 0.0 or isnan(one):
            return float("nan")
        negative = (one < 0) != (str(other)[0] == "-")
        return float("-inf") if negative else float("inf")
    return one / other


def _both(kind: Type, run: Callable[[Any, Any], Any]) -> Overload:
    return Overload((kind, kind), kind, run)


def _concatenated(kind: Type) -> Overload:
    return Overload(
        (kind, kind),
        kind,
        lambda one, other: one + other,
        cost=traversal_of_both,
        estimate=lambda one, other: -(-(one + other) // 10),
        size=lambda one, other: one + other,
    )


def traversal_of_both(one: Any, other: Any) -> int:
    return max(1, traversal(one, other))


LIBRARY.function(
    "_+_",
    _both(INT, lambda one, other: integer(one + other)),
    _both(UINT, lambda one, other: unsigned(one + other)),
    _both(DOUBLE, lambda one, other: one + other),
    _concatenated(STRING),
    _concatenated(BYTES),
    Overload(
        (LIST, LIST),
        lambda given: list_of(joined(element_of(given[0]), element_of(given[1]))),
        lambda one, other: [*one, *other],
        cost=traversal_of_both,
        estimate=lambda one, other: -(-(one + other) // 10),
        size=lambda one, other: one + other,
    ),
    _both(DURATION, lambda one, other: duration(one.nanoseconds + other.nanoseconds)),
    Overload(
        (TIMESTAMP, DURATION),
        TIMESTAMP,
        lambda one, other: timestamp(one.nanoseconds + other.nanoseconds),
    ),
    Overload(
        (DURATION, TIMESTAMP),
        TIMESTAMP,
        lambda one, other: timestamp(one.nanoseconds + other.nanoseconds),
    ),
)
LIBRARY.function(
    "_-_",
    _both(INT, lambda one, other: integer(one - other)),
    _both(UINT, lambda one, other: unsigned(one - other)),
    _both(DOUBLE, lambda one, other: one - other),
    _both(DURATION, lambda one, other: duration(one.nanoseconds - other.nanoseconds)),
    Overload(
        (TIMESTAMP, TIMESTAMP),
        DURATION,
        lambda one, other: duration(one.nanoseconds - other.nanoseconds),
    ),
    Overload(
        (TIMESTAMP, DURATION),
        TIMESTAMP,
        lambda one, other: timestamp(one.nanoseconds - other.nanoseconds),
    ),
)
LIBRARY.function(
    "_*_",
    _both(INT, lambda one, other: integer(one * other)),
    _both(UINT, lambda one, other: unsigned(one * other)),
    _both(DOUBLE, lambda one, other: one * other),
)
LIBRARY.function(
    "_/_",
    _both(INT, _quotient),
    _both(UINT, lambda one, other: Uint(_quotient(one, other)) if other else _quotient(1, 0)),
    _both(DOUBLE, _divided),
)
LIBRARY.function(
    "_%_",
    _both(INT, _remainder),
    _both(UINT, lambda one, other: Uint(_remainder(one, other))),
)
LIBRARY.function(
    "-_",
    Overload((INT,), INT, lambda value: integer(-value)),
    Overload((DOUBLE,), DOUBLE, lambda value: -value),
)
LIBRARY.function("!_", Overload((BOOL,), BOOL, lambda value: not value))


def _of_one_type(given: tuple[Type, ...]) -> bool:
    return comparable(given[0], given[1])


def _is_among(given: tuple[Type, ...]) -> bool:
    """Whether the first may be an element of the second, or one of its keys."""
    return not given[1].parameters or comparable(given[0], given[1].parameters[0])


LIBRARY.function("_==_", Overload((DYN, DYN), BOOL, equal, deep=True, fits=_of_one_type))
LIBRARY.function(
    "_!=_",
    Overload(
        (DYN, DYN),
        BOOL,
        lambda one, other: not equal(one, other),
        deep=True,
        fits=_of_one_type,
    ),
)


def _ordered(sign: str, decide: Callable[[int], bool]) -> None:
    def run(one: Any, other: Any) -> bool:
        return decide(compare(sign, one, other))

    def texts(kind: Type) -> Overload:
        return Overload(
            (kind, kind),
            BOOL,
            run,
            cost=lambda one, other: max(1, -(-min(len(one), len(other)) // 10)),
            estimate=lambda one, other: max(1, -(-min(one, other) // 10)),
        )

    numbers = (INT, UINT, DOUBLE)
    LIBRARY.function(
        sign,
        texts(STRING),
        texts(BYTES),
        *(Overload((kind, kind), BOOL, run) for kind in (BOOL, TIMESTAMP, DURATION)),
        *(Overload((one, other), BOOL, run) for one in numbers for other in numbers),
    )


_ordered("_<_", lambda order: order < 0)
_ordered("_<=_", lambda order: order <= 0)
_ordered("_>_", lambda order: order > 0)
_ordered("_>=_", lambda order: order >= 0)

LIBRARY.function(
    "_in_",
    Overload(
        (DYN, LIST),
        BOOL,
        lambda wanted, sequence: contains(sequence, wanted),
        deep=True,
        estimate=lambda _wanted, sequence: sequence,
        fits=_is_among,
    ),
    Overload(
        (DYN, MAP),
        BOOL,
        lambda wanted, mapping: member(mapping, wanted, _MISSING) is not _MISSING,
        cost=lambda wanted, mapping: 1 + searched(mapping, wanted),
        fits=_is_among,
    ),
)
