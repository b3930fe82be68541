"""The values that templates are filled from, where Go tells apart what JSON does not.

Other than these: None is a nil pointer, a dict a struct, whose fields are known, and strings,
numbers, truths and lists are what they are.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec


class TemplateFailed(Exception):
    """A template that can't be read, or not be filled from this value."""


class NoValue:
    """What a map has for a key that isn't in it."""


NO_VALUE = NoValue()


class GoMap(dict[str, Any]):
    """A map, whose keys are data; `zero` is what `index` finds for any other key."""

    def __init__(
        self, entries: Mapping[str, Any] | None = None, zero: Any = "", *, is_nil: bool = False
    ) -> None:
        super().__init__(entries or {})
        self.zero = zero
        self.is_nil = is_nil


class GoList(list[Any]):
    """A list that may be nil, which JSON tells."""

    def __init__(self, entries: Iterable[Any] = (), *, is_nil: bool = False) -> None:
        super().__init__(entries)
        self.is_nil = is_nil


class Record(msgspec.Struct, frozen=True):
    """A line of a list: fields, and methods that take arguments."""

    fields: Mapping[str, Any]
    methods: Mapping[str, Callable[..., Any]] = {}


def is_true(value: Any) -> bool:
    """Whether a value is not its type's empty one."""
    if isinstance(value, (NoValue, Record)):
        return isinstance(value, Record)
    if isinstance(value, dict) and not isinstance(value, GoMap):
        return True
    return bool(value)
