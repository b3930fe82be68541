"""Durations as people read them in kubectl's AGE column."""

from datetime import datetime

from sampan.kubernetes.machinery import timestamps

_MINUTE = 60
_HOUR = 3600
_DAY = 86400
_YEAR = 365 * _DAY


# Below the first number of seconds a duration is shown in these units: (size, name), one or two.
_Unit = tuple[int, str]
_SCALE: tuple[tuple[float, _Unit, _Unit | None], ...] = (
    (2 * _MINUTE, (1, "s"), None),
    (10 * _MINUTE, (_MINUTE, "m"), (1, "s")),
    (3 * _HOUR, (_MINUTE, "m"), None),
    (8 * _HOUR, (_HOUR, "h"), (_MINUTE, "m")),
    (2 * _DAY, (_HOUR, "h"), None),
    (8 * _DAY, (_DAY, "d"), (_HOUR, "h")),
    (2 * _YEAR, (_DAY, "d"), None),
    (8 * _YEAR, (_YEAR, "y"), (_DAY, "d")),
    (float("inf"), (_YEAR, "y"), None),
)


def human(seconds: float) -> str:
    """`45s`, `5m30s`, `3h5m`, `2d4h`, `3y20d`: two units where they matter, else one.

    The thresholds are those of k8s.io/apimachinery `duration.HumanDuration`.
    """
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    total = max(total, 0)
    (size, name), part = next((unit, part) for limit, unit, part in _SCALE if total < limit)
    text = f"{total // size}{name}"
    rest = total % size // part[0] if part else 0
    return f"{text}{rest}{part[1]}" if part and rest else text


def since(timestamp: str | None, now: datetime) -> str:
    """How long ago a time in an object was; `<unknown>` when it is not set."""
    if not timestamp:
        return "<unknown>"
    return human((now - timestamps.parse(timestamp)).total_seconds())
