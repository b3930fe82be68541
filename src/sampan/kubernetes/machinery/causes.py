"""The causes of a refused object, in the words of Kubernetes' `field` package."""

from collections.abc import Iterable
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Cause

_MAXIMUM_QUOTED = 512


def _quoted(value: Any) -> str:
    if isinstance(value, (str, list)):
        # What is cut off is not encoded first.
        value = value[: _MAXIMUM_QUOTED + 1]
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _MAXIMUM_QUOTED else text[:_MAXIMUM_QUOTED] + "…"


def required(field: str, detail: str = "") -> Cause:
    return Cause(field, "FieldValueRequired", _joined("Required value", detail))


def invalid(field: str, value: Any, detail: str) -> Cause:
    return Cause(field, "FieldValueInvalid", _joined(f"Invalid value: {_quoted(value)}", detail))


def forbidden(field: str, detail: str) -> Cause:
    return Cause(field, "FieldValueForbidden", _joined("Forbidden", detail))


def duplicate(field: str, value: Any) -> Cause:
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {_quoted(value)}")


def unsupported(field: str, value: Any, supported: Iterable[str]) -> Cause:
    names = ", ".join(f'"{name}"' for name in sorted(supported))
    message = f"Unsupported value: {_quoted(value)}: supported values: {names}"
    return Cause(field, "FieldValueNotSupported", message)


def too_long(field: str, maximum: int) -> Cause:
    return Cause(field, "FieldValueTooLong", f"Too long: may not be more than {maximum} bytes")


def too_many(field: str, given: int, maximum: int) -> Cause:
    message = f"Too many: {given}: must have at most {maximum} items"
    return Cause(field, "FieldValueTooMany", message)


def _joined(head: str, detail: str) -> str:
    return f"{head}: {detail}" if detail else head


def not_found(field: str, value: Any) -> Cause:
    return Cause(field, "FieldValueNotFound", f"Not found: {_quoted(value)}")
