"""Optional values (cel-go `cel.OptionalTypes`)."""

from typing import Any

from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.types import (
    BOOL,
    DYN,
    OPTIONAL,
    Type,
    element_of,
    joined,
    optional_of,
)
from sampan.kubernetes.expressions.values import ABSENT, Duration, Optional

LIBRARY = Library()


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise EvaluationFailed("optional.none() dereference")
    return optional.value


def _unless_zero(value: Any) -> Optional:
    is_zero = not value if not isinstance(value, Duration) else value.nanoseconds == 0
    return ABSENT if is_zero else Optional(True, value)


def _of(given: tuple[Type, ...]) -> Type:
    return optional_of(given[0])


def _inner(given: tuple[Type, ...]) -> Type:
    return element_of(given[0])


LIBRARY.function("optional.of", Overload((DYN,), _of, lambda value: Optional(True, value)))
LIBRARY.function("optional.ofNonZeroValue", Overload((DYN,), _of, _unless_zero))
LIBRARY.function("optional.none", Overload((), OPTIONAL, lambda: ABSENT))
LIBRARY.method("hasValue", Overload((OPTIONAL,), BOOL, lambda optional: optional.present))
LIBRARY.method("value", Overload((OPTIONAL,), _inner, _value))
LIBRARY.method(
    "or",
    Overload(
        (OPTIONAL, OPTIONAL),
        lambda given: joined(given[0], given[1]),
        lambda one, other: one if one.present else other,
    ),
)
LIBRARY.method(
    "orValue",
    Overload(
        (OPTIONAL, DYN),
        lambda given: joined(element_of(given[0]), given[1]),
        lambda optional, value: optional.value if optional.present else value,
    ),
)
