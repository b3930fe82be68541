"""Conversions between types, `type`, `dyn` and `size`."""

import math
from typing import Any

from sampan.kubernetes.expressions.budget import traversal
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.lexer import LARGEST, LARGEST_UNSIGNED, SMALLEST
from sampan.kubernetes.expressions.times import (
    parse_duration,
    parse_timestamp,
    show_duration,
    show_timestamp,
    timestamp,
)
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
    TYPE,
    UINT,
    Type,
)
from sampan.kubernetes.expressions.values import SECOND, TypeValue, Uint, type_name

LIBRARY = Library()
_TRUE = ("1", "t", "true", "TRUE", "True", "T")
_FALSE = ("0", "f", "false", "FALSE", "False", "F")
_LONGEST_NUMBER = 400


def _to_int(value: Any) -> int:
    if type(value) is float and not (math.isfinite(value) and SMALLEST < value < LARGEST):
        raise EvaluationFailed("integer overflow")
    number = int(value)
    if not SMALLEST <= number <= LARGEST:
        raise EvaluationFailed("integer overflow")
    return number


def _to_uint(value: Any) -> Uint:
    if type(value) is float and not (math.isfinite(value) and 0 <= value < LARGEST_UNSIGNED):
        raise EvaluationFailed("unsigned integer overflow")
    number = int(value)
    if not 0 <= number <= LARGEST_UNSIGNED:
        raise EvaluationFailed("unsigned integer overflow")
    return Uint(number)


def _integer_text(text: str, kind: str) -> int:
    shown = text[:_LONGEST_NUMBER]
    digits = shown[1:] if shown[:1] in ("+", "-") and kind == "int" else shown
    if not (digits.isascii() and digits.isdigit()) or len(text) > _LONGEST_NUMBER:
        raise EvaluationFailed(
            f'strconv.Parse{kind.capitalize()}: parsing "{shown}": invalid syntax'
        )
    return int(text)


def _to_double(text: str) -> float:
    try:
        if len(text) > _LONGEST_NUMBER or "_" in text or text != text.strip():
            raise ValueError
        return float(text)
    except ValueError as error:
        message = f'strconv.ParseFloat: parsing "{text[:40]}": invalid syntax'
        raise EvaluationFailed(message) from error


def _to_bool(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise EvaluationFailed(f'strconv.ParseBool: parsing "{text[:40]}": invalid syntax')


def show_double(value: float) -> str:
    """As Go's shortest form without an exponent for common numbers."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    return repr(value)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise EvaluationFailed("invalid UTF-8 in bytes, cannot convert to string") from error


def _type_of(value: Any) -> TypeValue:
    return TypeValue(type_name(value))


def _itself(value: Any) -> Any:
    return value


def _same(*kinds: Type) -> tuple[Overload, ...]:
    return tuple(Overload((it,), it, _itself) for it in kinds)


_NUMBERS = (INT, UINT, DOUBLE)
LIBRARY.function(
    "int",
    *(Overload((it,), INT, _to_int) for it in _NUMBERS),
    Overload((STRING,), INT, lambda text: _to_int(_integer_text(text, "int"))),
    Overload((TIMESTAMP,), INT, lambda moment: moment.nanoseconds // SECOND),
    Overload((DURATION,), INT, lambda span: span.nanoseconds),
)
LIBRARY.function(
    "uint",
    *(Overload((it,), UINT, _to_uint) for it in _NUMBERS),
    Overload((STRING,), UINT, lambda text: _to_uint(_integer_text(text, "uint"))),
)
LIBRARY.function(
    "double",
    *(Overload((it,), DOUBLE, float) for it in _NUMBERS),
    Overload((STRING,), DOUBLE, _to_double),
)
LIBRARY.function(
    "string",
    *_same(STRING),
    Overload((INT,), STRING, str),
    Overload((UINT,), STRING, lambda value: str(int(value))),
    Overload((DOUBLE,), STRING, show_double),
    Overload((BOOL,), STRING, lambda value: "true" if value else "false"),
    Overload(
        (BYTES,),
        STRING,
        _decoded,
        cost=lambda value: max(1, traversal(value)),
        size=lambda size: size,
    ),
    Overload((TIMESTAMP,), STRING, show_timestamp),
    Overload((DURATION,), STRING, show_duration),
)
LIBRARY.function(
    "bytes",
    *_same(BYTES),
    Overload(
        (STRING,),
        BYTES,
        str.encode,
        cost=lambda value: max(1, traversal(value)),
        size=lambda size: 4 * size,
    ),
)
LIBRARY.function("bool", *_same(BOOL), Overload((STRING,), BOOL, _to_bool))
LIBRARY.function(
    "timestamp",
    *_same(TIMESTAMP),
    Overload((STRING,), TIMESTAMP, parse_timestamp),
    Overload((INT,), TIMESTAMP, lambda seconds: timestamp(seconds * SECOND)),
)
LIBRARY.function("duration", *_same(DURATION), Overload((STRING,), DURATION, parse_duration))
LIBRARY.function("dyn", Overload((DYN,), DYN, _itself))
LIBRARY.function("type", Overload((DYN,), TYPE, _type_of))

_SIZES = tuple(Overload((it,), INT, len) for it in (STRING, BYTES, LIST, MAP))
LIBRARY.function("size", *_SIZES)
LIBRARY.method("size", *_SIZES)
