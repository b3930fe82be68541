"""Numbers that may be a share: `2` or `25%` (k8s.io/apimachinery `intstr`), and their rules."""

import re
from collections.abc import Iterator

from sampan.kubernetes.kinds.kind import Cause
from sampan.kubernetes.machinery.causes import invalid

_PERCENT = re.compile(r"[0-9]{1,9}%")
_FORM = (
    "a valid percent string must be a numeric string followed by an ending '%' "
    "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
)


def check_int_or_percent(value: int | str, field: str) -> Iterator[Cause]:
    """A number that isn't negative, or a percentage."""
    if isinstance(value, str):
        if not _PERCENT.fullmatch(value):
            yield invalid(field, value, _FORM)
    elif value < 0:
        yield invalid(field, value, "must be greater than or equal to 0")


def check_at_most_all(value: int | str, field: str) -> Iterator[Cause]:
    """A percentage ends at 100; numbers and what is no percentage pass."""
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        yield invalid(field, value, "must not be greater than 100%")


def is_nothing(value: int | str) -> bool:
    """`0` or `0%`."""
    if isinstance(value, str):
        return _PERCENT.fullmatch(value) is not None and int(value[:-1]) == 0
    return value == 0
