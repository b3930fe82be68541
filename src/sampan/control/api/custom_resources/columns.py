"""The columns of a custom resource's table, from the JSONPaths of its definition."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.api.custom_resources.definition import PrinterColumn
from sampan.kubernetes.kinds.columns import AGE, NAME
from sampan.kubernetes.kinds.kind import Column, Object
from sampan.kubernetes.machinery import durations, json_path

_INVALID = "<invalid>"


def columns_of(given: Sequence[PrinterColumn]) -> tuple[Column, ...]:
    """Name comes first; a definition without columns shows the age."""
    if not given:
        return (NAME, AGE)
    return (NAME, *(_column(column) for column in given))


def _column(column: PrinterColumn) -> Column:
    path = json_path.parse(column.json_path)
    show = _SHOWN[column.type]

    def cell(obj: Object, now: datetime) -> Any:
        found = path.find(obj)
        return show(found, now) if found else None

    description = column.description
    if not description:
        description = f"Custom resource definition column (in JSONPath format): {column.json_path}"
    return Column(
        name=column.name,
        type=column.type,
        cell=cell,
        format=column.format,
        priority=column.priority,
        description=description,
    )


def _string(found: list[Any], _now: datetime) -> str:
    return ",".join(_text(value) for value in found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _integer(found: list[Any], _now: datetime) -> int | None:
    value = found[0]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value)


def _number(found: list[Any], _now: datetime) -> float | None:
    value = found[0]
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(found: list[Any], _now: datetime) -> bool | None:
    return found[0] if isinstance(found[0], bool) else None


def _date(found: list[Any], now: datetime) -> str | None:
    if not isinstance(found[0], str):
        return None
    try:
        return durations.since(found[0], now)
    except ValueError:
        return _INVALID


_SHOWN: dict[str, Callable[[list[Any], datetime], Any]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}
