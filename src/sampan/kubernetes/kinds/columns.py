"""The columns and cells that several kinds' tables share."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sampan.kubernetes.kinds.kind import Column, Object
from sampan.kubernetes.machinery import durations, selectors

NONE = "<none>"


def _name(obj: Object, _now: datetime) -> str:
    return str(obj["metadata"].get("name", ""))


def _age(obj: Object, now: datetime) -> str:
    return durations.since(obj["metadata"].get("creationTimestamp"), now)


def _created(obj: Object, _now: datetime) -> Any:
    return obj["metadata"].get("creationTimestamp")


NAME = Column(
    name="Name",
    type="string",
    format="name",
    cell=_name,
    description="Name must be unique within a namespace.",
)
AGE = Column(
    name="Age",
    type="string",
    cell=_age,
    description="CreationTimestamp is a timestamp representing the server time when this object "
    "was created.",
)
CREATED_AT = Column(
    name="Created At",
    type="date",
    cell=_created,
    description="CreationTimestamp is a timestamp representing the server time when this object "
    "was created.",
)


def text(name: str, cell: Callable[[Object], Any], priority: int = 0, about: str = "") -> Column:
    """A column of text, or of counts, that does not depend on the time."""
    return Column(
        name=name,
        type="string",
        cell=lambda obj, _now: cell(obj),
        priority=priority,
        description=about or name,
    )


def number(name: str, cell: Callable[[Object], int], priority: int = 0, about: str = "") -> Column:
    """A column of whole numbers."""
    return Column(
        name=name,
        type="integer",
        cell=lambda obj, _now: cell(obj),
        priority=priority,
        description=about or name,
    )


def part(obj: Object, *keys: str) -> Any:
    """The value at a path of keys, None where one is missing."""
    value: Any = obj
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def label_pairs(labels: dict[str, str] | None) -> str:
    """`a=b,c=d`, or `<none>`."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def selector_text(selector: Object | None) -> str:
    """A LabelSelector object in its text form, as metav1.FormatLabelSelector gives it."""
    try:
        chosen = selectors.from_object(selector)
    except selectors.InvalidSelector:
        return "<error>"
    return NONE if chosen is None else selectors.show(chosen)


def _containers(obj: Object) -> list[Object]:
    found: list[Object] = part(obj, "spec", "template", "spec", "containers") or []
    return found


CONTAINERS = text(
    "Containers",
    lambda obj: ",".join(it.get("name", "") for it in _containers(obj)),
    1,
    "Names of each container in the template.",
)
IMAGES = text(
    "Images",
    lambda obj: ",".join(it.get("image", "") for it in _containers(obj)),
    1,
    "Images referenced by each container in the template.",
)
SELECTOR = text(
    "Selector",
    lambda obj: selector_text(part(obj, "spec", "selector")),
    1,
    "Label selector for pods.",
)
