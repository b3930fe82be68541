"""Limits of setrlimit(2) for a container's processes: pure.

Limits above what the host can give are lowered to that: without CAP_SYS_RESOURCE they could
not be set at all.
"""

import resource
from collections.abc import Iterable, Mapping
from typing import Final

from sampan.engine.configuration import ResourceLimit
from sampan.engine.contract import InvalidConfiguration

_NAMES = """
as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack
"""
NAMES: Final = tuple(_NAMES.split())
_UNLIMITED = -1
_HIGHEST = (1 << 64) - 1
_OPEN_FILES = ResourceLimit("nofile", 1_048_576, 1_048_576)


def resource_limits(
    wanted: Iterable[ResourceLimit], highest: Mapping[str, int]
) -> list[dict[str, object]]:
    """The `process.rlimits` member. Raises InvalidConfiguration."""
    by_name = {_OPEN_FILES.name: _OPEN_FILES}
    for limit in wanted:
        if limit.name not in NAMES:
            raise InvalidConfiguration(f"invalid ulimit type: {limit.name}")
        by_name[limit.name] = limit
    return [_document(limit, highest.get(limit.name, _HIGHEST)) for limit in by_name.values()]


def highest_limits() -> dict[str, int]:
    """What processes without CAP_SYS_RESOURCE can't exceed: the calling process's hard limits."""
    found = {}
    for name in NAMES:
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if number is not None:
            hard = resource.getrlimit(number)[1]
            found[name] = _HIGHEST if hard == resource.RLIM_INFINITY else hard
    return found


def _document(limit: ResourceLimit, highest: int) -> dict[str, object]:
    soft, hard = (_HIGHEST if value == _UNLIMITED else value for value in (limit.soft, limit.hard))
    if soft < 0 or hard < 0 or soft > hard:
        raise InvalidConfiguration(
            f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )
    return {
        "type": f"RLIMIT_{limit.name.upper()}",
        "soft": min(soft, highest),
        "hard": min(hard, highest),
    }
