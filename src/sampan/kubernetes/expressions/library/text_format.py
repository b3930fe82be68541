"""`"…".format([…])`: printf-like, with the clauses of cel-go's string extension."""

import math
import re
from collections.abc import Callable
from typing import Any

from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.library.conversions import show_double
from sampan.kubernetes.expressions.times import show_duration, show_timestamp
from sampan.kubernetes.expressions.values import (
    Abstract,
    Duration,
    Timestamp,
    TypeValue,
    Uint,
    type_name,
)

_CLAUSE = re.compile(r"%(?:(%)|(?:\.(\d+))?([sdfebxXo]))")
_LARGEST_PRECISION = 100
_INTEGERS = (int, Uint)


def formatted(text: str, arguments: Any) -> str:
    """Raises EvaluationFailed."""
    pieces: list[str] = []
    at, used = 0, 0
    while (start := text.find("%", at)) >= 0:
        clause = _CLAUSE.match(text, start)
        if clause is None:
            shown = text[start + 1 : start + 2]
            message = (
                f'could not parse formatting clause: unrecognized formatting clause "{shown}"'
                if shown
                else "unexpected end of string"
            )
            raise EvaluationFailed(message)
        pieces.append(text[at:start])
        at = clause.end()
        if clause.group(1):
            pieces.append("%")
            continue
        if used >= len(arguments):
            raise EvaluationFailed(f"index {used} out of range")
        precision = None if clause.group(2) is None else int(clause.group(2)[:4])
        if precision is not None and precision > _LARGEST_PRECISION:
            raise EvaluationFailed("precision is too large")
        pieces.append(_FORMS[clause.group(3)](arguments[used], precision))
        used += 1
    if used < len(arguments):
        raise EvaluationFailed(f"too many arguments supplied to string.format: expected {used}")
    return "".join([*pieces, text[at:]])


def shown(value: Any, _precision: int | None = None) -> str:
    """What `%s` makes of a value."""
    if value is None:
        return "null"
    show = _SHOWN.get(type(value))
    if show is not None:
        return show(value)
    if isinstance(value, Abstract):
        return str(value)
    raise _unfit("string", value)


def _shown_map(value: dict[Any, Any]) -> str:
    entries = sorted((shown(key), shown(it)) for key, it in value.items())
    return "{" + ", ".join(f"{key}: {it}" for key, it in entries) + "}"


_SHOWN: dict[type, Callable[[Any], str]] = {
    str: lambda value: value,
    bool: lambda value: "true" if value else "false",
    int: str,
    Uint: lambda value: str(int(value)),
    float: show_double,
    bytes: lambda value: value.decode(errors="replace"),
    list: lambda value: "[" + ", ".join(map(shown, value)) + "]",
    dict: _shown_map,
    Timestamp: show_timestamp,
    Duration: show_duration,
    TypeValue: lambda value: value.name,
}


def _unfit(clause: str, value: Any) -> EvaluationFailed:
    return EvaluationFailed(
        f"error during formatting: {clause} clause can't be used on {type_name(value)}"
    )


def _decimal(value: Any, _precision: int | None) -> str:
    if type(value) not in _INTEGERS:
        raise _unfit("decimal", value)
    return str(int(value))


def _real(form: str) -> Callable[[Any, int | None], str]:
    def show(value: Any, precision: int | None) -> str:
        if type(value) not in (float, *_INTEGERS):
            raise _unfit("fixed-point", value)
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return f"{float(value):.{6 if precision is None else precision}{form}}"

    return show


def _binary(value: Any, _precision: int | None) -> str:
    if type(value) not in (bool, *_INTEGERS):
        raise _unfit("binary", value)
    return f"{int(value):b}"


def _octal(value: Any, _precision: int | None) -> str:
    if type(value) not in _INTEGERS:
        raise _unfit("octal", value)
    return f"{int(value):o}"


def _hexadecimal(form: str) -> Callable[[Any, int | None], str]:
    def show(value: Any, _precision: int | None) -> str:
        if type(value) in _INTEGERS:
            return f"{int(value):{form}}"
        if isinstance(value, str | bytes):
            digits = (value.encode() if isinstance(value, str) else value).hex()
            return digits.upper() if form == "X" else digits
        raise _unfit("hex", value)

    return show


_FORMS: dict[str, Callable[[Any, int | None], str]] = {
    "s": shown,
    "d": _decimal,
    "f": _real("f"),
    "e": _real("e"),
    "b": _binary,
    "x": _hexadecimal("x"),
    "X": _hexadecimal("X"),
    "o": _octal,
}
