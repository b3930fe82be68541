"""The filters of lists, prunes and events: what clients send, and what it matches. Pure.

Clients send JSON, either `{"label": ["a", "b"]}` or, older ones, `{"label": {"a": true}}`
(Docker Engine API, "filters"). Values of one filter are alternatives unless said otherwise.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import re2

from sampan.engine.contract import InvalidConfiguration

_LABEL, _WITHOUT_LABEL = "label", "label!"
_LONGEST_PATTERN = 1024


class Filters:
    """`values` are by the filters' names."""

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        self._values = values

    def __bool__(self) -> bool:
        return bool(self._values)

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def values(self, name: str) -> tuple[str, ...]:
        return self._values.get(name, ())

    def check(self, known: Collection[str]) -> None:
        """Raises InvalidConfiguration for one that doesn't belong to what is asked."""
        for name in self._values:
            if name not in known:
                raise InvalidConfiguration(f"invalid filter '{name[:80]}'")

    def flag(self, name: str, *, default: bool | None = None) -> bool | None:
        """The one truth value of a filter. Raises InvalidConfiguration."""
        values = self.values(name)
        if not values:
            return default
        found = {_truth(value) for value in values}
        if len(found) != 1 or None in found:
            raise InvalidConfiguration(f"invalid filter '{name}=[{' '.join(values)[:80]}]'")
        return found.pop()

    def one(self, name: str) -> str:
        """The only value of a filter, "" for none. Raises InvalidConfiguration."""
        values = self.values(name)
        if len(values) > 1:
            raise InvalidConfiguration(f"more than one '{name}' filter specified")
        return values[0] if values else ""

    def exact(self, name: str, *candidates: str) -> bool:
        """Whether there is no such filter, or a value of it is one of these."""
        values = self.values(name)
        return not values or any(value in candidates for value in values)

    def starts(self, name: str, *candidates: str) -> bool:
        """Whether there is no such filter, or one of these begins with a value of it."""
        values = self.values(name)
        return not values or any(one.startswith(value) for value in values for one in candidates)

    def matches(self, name: str, *candidates: str) -> bool:
        """Whether there is no such filter, or one of these equals a value or has its pattern."""
        values = self.values(name)
        return not values or any(_found(value, one) for value in values for one in candidates)

    def labels(self, labels: Mapping[str, str] | None) -> bool:
        """Whether all wanted labels (`key` or `key=value`) are there, and no unwanted one."""
        there = labels or {}
        wanted, unwanted = self.values(_LABEL), self.values(_WITHOUT_LABEL)
        return all(_has(there, one) for one in wanted) and not any(
            _has(there, one) for one in unwanted
        )


def parse(text: str) -> Filters:
    """Raises InvalidConfiguration."""
    if not text:
        return Filters({})
    try:
        tree = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise InvalidConfiguration(f"invalid filter: {error}") from error
    if not isinstance(tree, dict):
        raise InvalidConfiguration("invalid filter: an object is expected")
    return Filters({name: _values(name, value) for name, value in tree.items()})


def _values(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, dict):
        return tuple(item for item, wanted in value.items() if wanted)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise InvalidConfiguration(f"invalid filter '{name[:80]}': a list of words is expected")


def _truth(text: str) -> bool | None:
    if text.lower() in ("1", "t", "true"):
        return True
    return False if text.lower() in ("0", "f", "false") else None


def _found(pattern: str, text: str) -> bool:
    if pattern == text:
        return True
    if len(pattern) > _LONGEST_PATTERN:
        return False
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search(text) is not None
    except re2.error:
        return False


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    key, separator, value = wanted.partition("=")
    return key in labels and (not separator or labels[key] == value)
