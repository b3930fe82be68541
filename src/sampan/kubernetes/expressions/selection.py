"""Fields and elements: how a value is taken out of another, and what it becomes on the way.

JSON has fewer types than CEL. Where the schema says that a field is a number, a time, a
duration or bytes, what stands in the tree is turned into that as it is selected.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.frame import Frame, Run
from sampan.kubernetes.expressions.times import parse_duration, parse_timestamp
from sampan.kubernetes.expressions.types import Type, element_of
from sampan.kubernetes.expressions.values import (
    ABSENT,
    Fields,
    Optional,
    Uint,
    member,
    no_such_overload,
    searched,
)

Convert = Callable[[Any], Any]
_MISSING = object()
_DATE_LENGTH = len("2026-11-23")


def json_name(kind: Type, name: str) -> str:
    """The name in the tree of a field that an expression names."""
    inner = element_of(kind) if kind.name == "optional_type" else kind
    if inner.fields is not None and name in inner.fields.by_name:
        return inner.fields.by_name[name][0]
    return name


def conversion(kind: Type) -> Convert | None:
    """What makes a value of this type out of JSON; None when JSON has the type."""
    return _CONVERSIONS.get(kind.name)


def field_conversion(operand: Type, name: str) -> Convert | None:
    inner = element_of(operand) if operand.name == "optional_type" else operand
    if inner.fields is not None and name in inner.fields.by_name:
        return conversion(inner.fields.by_name[name][1])
    return conversion(element_of(inner)) if inner.name == "map" else None


def element_conversion(operand: Type) -> Convert | None:
    inner = element_of(operand) if operand.name == "optional_type" else operand
    return conversion(element_of(inner)) if inner.name in ("list", "map") else None


def _to_double(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _to_timestamp(value: Any) -> Any:
    if type(value) is not str:
        return value
    # The formats `date-time` and `date` both give a moment.
    return parse_timestamp(value if len(value) > _DATE_LENGTH else f"{value}T00:00:00Z")


def _to_duration(value: Any) -> Any:
    return parse_duration(value) if type(value) is str else value


def _to_bytes(value: Any) -> Any:
    if type(value) is not str:
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise EvaluationFailed(f"invalid base64: {error}") from error


_CONVERSIONS: dict[str, Convert] = {
    "double": _to_double,
    "google.protobuf.Timestamp": _to_timestamp,
    "google.protobuf.Duration": _to_duration,
    "bytes": _to_bytes,
}


def field(operand: Run, name: str, convert: Convert | None) -> Run:
    """`operand.name`; of an optional, an optional."""

    def run(frame: Frame) -> Any:
        frame.budget.spend(1)
        value = operand(frame)
        if type(value) is dict:
            found = value.get(name, _MISSING)
            if found is _MISSING:
                raise EvaluationFailed(f"no such key: {name}")
            return found if convert is None else convert(found)
        if isinstance(value, Optional):
            return _within(frame, value, name, convert)
        if isinstance(value, Fields):
            return value.field(name, frame.budget)
        raise no_such_overload("select", value)

    return run


def optional_field(operand: Run, name: str, convert: Convert | None) -> Run:
    """`operand.?name`."""

    def run(frame: Frame) -> Optional:
        frame.budget.spend(1)
        value = operand(frame)
        if not isinstance(value, Optional):
            value = Optional(True, value)
        return _within(frame, value, name, convert)

    return run


def presence(operand: Run, name: str) -> Run:
    """`has(operand.name)`."""

    def run(frame: Frame) -> bool:
        value = operand(frame)
        if isinstance(value, Optional):
            if not value.present:
                return False
            value = value.value
        return _has(value, name)

    return run


def index(operand: Run, key: Run, convert: Convert | None) -> Run:
    """`operand[key]`; of an optional, an optional."""

    def run(frame: Frame) -> Any:
        frame.budget.spend(1)
        value, wanted = operand(frame), key(frame)
        if isinstance(value, Optional):
            return _element_within(frame, value, wanted, convert)
        found = _element(frame, value, wanted)
        if found is _MISSING:
            raise EvaluationFailed(
                f"no such key: {wanted}"
                if not isinstance(value, list | tuple)
                else f"index out of bounds: {wanted}"
            )
        return found if convert is None else convert(found)

    return run


def optional_index(operand: Run, key: Run, convert: Convert | None) -> Run:
    """`operand[?key]`."""

    def run(frame: Frame) -> Optional:
        frame.budget.spend(1)
        value, wanted = operand(frame), key(frame)
        if not isinstance(value, Optional):
            value = Optional(True, value)
        return _element_within(frame, value, wanted, convert)

    return run


def map_key(key: Any) -> Any:
    """A key of a map literal. Raises EvaluationFailed."""
    if type(key) not in (bool, int, Uint, str):
        raise EvaluationFailed(f"unsupported key type: {type(key).__name__}")
    return key


def _has(value: Any, name: str) -> bool:
    if type(value) is dict:
        return name in value
    if isinstance(value, Fields):
        return value.has_field(name)
    raise no_such_overload("has", value)


def _within(frame: Frame, value: Optional, name: str, convert: Convert | None) -> Optional:
    if not value.present or not _has(value.value, name):
        return ABSENT
    inner = value.value
    found = inner[name] if type(inner) is dict else inner.field(name, frame.budget)
    return Optional(True, found if convert is None else convert(found))


def _element_within(
    frame: Frame, value: Optional, wanted: Any, convert: Convert | None
) -> Optional:
    found = _element(frame, value.value, wanted) if value.present else _MISSING
    if found is _MISSING:
        return ABSENT
    return Optional(True, found if convert is None else convert(found))


def _element(frame: Frame, value: Any, wanted: Any) -> Any:
    """The element, or _MISSING."""
    if type(value) is dict:
        if type(wanted) not in (str, int, Uint, bool, float):
            raise no_such_overload("_[_]", value, wanted)
        frame.budget.spend(searched(value, wanted))
        return member(value, wanted, _MISSING)
    if isinstance(value, list | tuple):
        if type(wanted) is float and wanted.is_integer():
            wanted = int(wanted)
        if type(wanted) not in (int, Uint):
            raise no_such_overload("_[_]", value, wanted)
        return value[wanted] if 0 <= wanted < len(value) else _MISSING
    if isinstance(value, Fields) and type(wanted) is str:
        return value.field(wanted, frame.budget) if value.has_field(wanted) else _MISSING
    raise no_such_overload("_[_]", value, wanted)
