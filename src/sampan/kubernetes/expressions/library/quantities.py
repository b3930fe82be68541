"""Quantities (k8s.io/apiserver `pkg/cel/library/quantity.go`)."""

from collections.abc import Callable
from decimal import Decimal

from sampan.kubernetes.expressions.budget import traversal
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.lexer import LARGEST
from sampan.kubernetes.expressions.types import BOOL, DOUBLE, INT, STRING, abstract
from sampan.kubernetes.expressions.values import Abstract
from sampan.kubernetes.machinery.quantities import InvalidQuantity, parse

LIBRARY = Library()
QUANTITY = abstract("kubernetes.Quantity")


class Quantity(Abstract):
    """An exact number."""

    __slots__ = ("number",)
    type_name = QUANTITY.name

    def __init__(self, number: Decimal) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)


def _parsed(text: str) -> Quantity:
    try:
        return Quantity(parse(text))
    except InvalidQuantity as error:
        raise EvaluationFailed(str(error)) from error


def _is_quantity(text: str) -> bool:
    try:
        parse(text)
    except InvalidQuantity:
        return False
    return True


def _is_integer(quantity: Quantity) -> bool:
    number = quantity.number
    return number == number.to_integral_value() and abs(number) <= LARGEST


def _as_integer(quantity: Quantity) -> int:
    if not _is_integer(quantity):
        raise EvaluationFailed("cannot convert value to integer")
    return int(quantity.number)


def _sign(number: Decimal) -> int:
    return int(number > 0) - int(number < 0)


def _compared(decide: Callable[[int], bool]) -> Overload:
    return Overload(
        (QUANTITY, QUANTITY), BOOL, lambda one, other: decide(_sign(one.number - other.number))
    )


def _sum(one: Quantity, other: Quantity | int, factor: int) -> Quantity:
    return Quantity(one.number + factor * (other.number if isinstance(other, Quantity) else other))


def _once(text: str) -> int:
    return max(1, traversal(text))


LIBRARY.function(
    "quantity",
    Overload((STRING,), QUANTITY, _parsed, cost=_once, estimate=lambda size: -(-size // 10)),
)
LIBRARY.function(
    "isQuantity",
    Overload((STRING,), BOOL, _is_quantity, cost=_once, estimate=lambda size: -(-size // 10)),
)
LIBRARY.method("sign", Overload((QUANTITY,), INT, lambda it: _sign(it.number)))
LIBRARY.method("isInteger", Overload((QUANTITY,), BOOL, _is_integer))
LIBRARY.method("asInteger", Overload((QUANTITY,), INT, _as_integer))
LIBRARY.method("asApproximateFloat", Overload((QUANTITY,), DOUBLE, lambda it: float(it.number)))
LIBRARY.method("isGreaterThan", _compared(lambda order: order > 0))
LIBRARY.method("isLessThan", _compared(lambda order: order < 0))
LIBRARY.method(
    "compareTo",
    Overload((QUANTITY, QUANTITY), INT, lambda one, other: _sign(one.number - other.number)),
)
for _name, _factor in (("add", 1), ("sub", -1)):
    LIBRARY.method(
        _name,
        *(
            Overload(
                (QUANTITY, kind),
                QUANTITY,
                lambda one, other, factor=_factor: _sum(one, other, factor),
            )
            for kind in (QUANTITY, INT)
        ),
    )
