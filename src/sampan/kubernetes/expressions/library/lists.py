"""Lists (k8s.io/apiserver `pkg/cel/library/lists.go`) and sets (cel-go `ext/sets.go`)."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from sampan.kubernetes.expressions.budget import PER_CALL, weight
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.library.operators import integer, unsigned
from sampan.kubernetes.expressions.times import duration
from sampan.kubernetes.expressions.types import BOOL, DYN, INT, LIST, Type, element_of
from sampan.kubernetes.expressions.values import (
    Duration,
    Uint,
    compare,
    contains,
    equal,
    no_such_overload,
)

LIBRARY = Library()


def _is_sorted(sequence: Any) -> bool:
    return all(compare("isSorted", one, other) <= 0 for one, other in pairwise(sequence))


def _extreme(name: str, wanted: int) -> Callable[[Any], Any]:
    def run(sequence: Any) -> Any:
        if not sequence:
            raise EvaluationFailed(f"{name} called on empty list")
        best = sequence[0]
        for it in sequence[1:]:
            if compare(name, it, best) == wanted:
                best = it
        return best

    return run


def _sum(sequence: Any) -> Any:
    """Of nothing 0; elements are of one type."""
    if not sequence:
        return 0
    kind = type(sequence[0])
    if any(type(it) is not kind for it in sequence) or kind not in (int, Uint, float, Duration):
        raise no_such_overload("sum", sequence)
    if kind is Duration:
        return duration(sum(it.nanoseconds for it in sequence))
    total = sum(sequence)
    if kind is float:
        return total
    return unsigned(total) if kind is Uint else integer(total)


def _position(sequence: Any, wanted: Any) -> int:
    return next((at for at, it in enumerate(sequence) if equal(it, wanted)), -1)


def _last_position(sequence: Any, wanted: Any) -> int:
    places = range(len(sequence) - 1, -1, -1)
    return next((at for at in places if equal(sequence[at], wanted)), -1)


def _element(given: tuple[Type, ...]) -> Type:
    return element_of(given[0])


def _own_size(size: int, *_rest: int) -> int:
    return size


def _products(one: Any, other: Any) -> int:
    """Every element of one is compared with every element of the other."""
    return max(1, weight(one, PER_CALL) * len(other))


LIBRARY.method("isSorted", Overload((LIST,), BOOL, _is_sorted, deep=True, estimate=_own_size))
LIBRARY.method("sum", Overload((LIST,), _element, _sum, deep=True, estimate=_own_size))
LIBRARY.method(
    "min", Overload((LIST,), _element, _extreme("min", -1), deep=True, estimate=_own_size)
)
LIBRARY.method(
    "max", Overload((LIST,), _element, _extreme("max", 1), deep=True, estimate=_own_size)
)
LIBRARY.method("indexOf", Overload((LIST, DYN), INT, _position, deep=True, estimate=_own_size))
LIBRARY.method(
    "lastIndexOf", Overload((LIST, DYN), INT, _last_position, deep=True, estimate=_own_size)
)


def _holds_all(one: Any, other: Any) -> bool:
    return all(contains(one, it) for it in other)


def _set_function(name: str, run: Callable[[Any, Any], bool], times: int) -> None:
    LIBRARY.function(
        name,
        Overload(
            (LIST, LIST),
            BOOL,
            run,
            cost=lambda one, other: times * _products(one, other),
            estimate=lambda one, other: times * one * other,
            deep=True,
        ),
    )


_set_function("sets.contains", _holds_all, 1)
_set_function(
    "sets.equivalent", lambda one, other: _holds_all(one, other) and _holds_all(other, one), 2
)
_set_function("sets.intersects", lambda one, other: any(contains(one, it) for it in other), 1)
