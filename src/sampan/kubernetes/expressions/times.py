"""Moments and spans of time: their texts, their bounds, and the parts of a moment.

RFC 3339 for moments (years 1 to 9999), Go's `time.ParseDuration` for spans.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal

from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.values import SECOND, Duration, Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = -62135596800 * SECOND, 253402300800 * SECOND - 1
_LARGEST_DURATION = 2**63 - 1
_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})", re.ASCII
)
_DURATION = re.compile(r"[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_OFFSET = re.compile(r"([+-])?(\d{2}):(\d{2})", re.ASCII)
_LONGEST = 100


def parse_timestamp(text: str) -> Timestamp:
    """Raises EvaluationFailed."""
    found = _MOMENT.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise EvaluationFailed(f"parsing time {text[:_LONGEST]!r}: not an RFC 3339 time")
    base, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(base + zone)
    except ValueError as error:
        raise EvaluationFailed(f"parsing time {text!r}: {error}") from error
    return timestamp(_seconds(moment) * SECOND + int((fraction or "0").ljust(9, "0")))


def timestamp(nanoseconds: int) -> Timestamp:
    """Raises EvaluationFailed outside of the years 1 to 9999."""
    if not _EARLIEST <= nanoseconds <= _LATEST:
        raise EvaluationFailed("timestamp overflow")
    return Timestamp(nanoseconds)


def duration(nanoseconds: int) -> Duration:
    """Raises EvaluationFailed for what Go's duration can't hold."""
    if abs(nanoseconds) > _LARGEST_DURATION:
        raise EvaluationFailed("duration overflow")
    return Duration(nanoseconds)


def _seconds(moment: datetime) -> int:
    span = moment - _EPOCH
    return span.days * 86400 + span.seconds


def parse_duration(text: str) -> Duration:
    """Raises EvaluationFailed."""
    if len(text) > _LONGEST or not _DURATION.fullmatch(text):
        raise EvaluationFailed(f'time: invalid duration "{text[:_LONGEST]}"')
    total = sum(
        (Decimal(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text)),
        start=Decimal(0),
    )
    return duration(-int(total) if text.startswith("-") else int(total))


def show_timestamp(moment: Timestamp) -> str:
    seconds, nanoseconds = divmod(moment.nanoseconds, SECOND)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    fraction = f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""
    return f"{text}{fraction}Z"


def show_duration(span: Duration) -> str:
    """Seconds, as CEL's `string(duration)` gives them: `90s`, `0.5s`."""
    whole, rest = divmod(abs(span.nanoseconds), SECOND)
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"{'-' if span.nanoseconds < 0 else ''}{whole}{fraction}s"


def zone_of(name: str) -> tzinfo:
    """A zone by its IANA name or as `+HH:MM`. Raises EvaluationFailed."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    found = _OFFSET.fullmatch(name)
    if found is not None:
        sign, hours, minutes = found.groups()
        span = timedelta(hours=int(hours), minutes=int(minutes))
        if span < timedelta(days=1) and int(minutes) < 60:
            return timezone(-span if sign == "-" else span)
    try:
        if found is None and len(name) <= _LONGEST:
            return UTC if name in ("", "UTC") else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise EvaluationFailed(f"unknown time zone {name}") from error
    raise EvaluationFailed(f"unknown time zone {name[:_LONGEST]}")


def _in_zone(moment: Timestamp, zone: tzinfo) -> datetime:
    try:
        return (_EPOCH + timedelta(seconds=moment.nanoseconds // SECOND)).astimezone(zone)
    except OverflowError as error:
        raise EvaluationFailed("timestamp overflow") from error


PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda it: it.year,
    "getMonth": lambda it: it.month - 1,
    "getDate": lambda it: it.day,
    "getDayOfMonth": lambda it: it.day - 1,
    "getDayOfWeek": lambda it: it.isoweekday() % 7,
    "getDayOfYear": lambda it: it.timetuple().tm_yday - 1,
    "getHours": lambda it: it.hour,
    "getMinutes": lambda it: it.minute,
    "getSeconds": lambda it: it.second,
}
"""The methods that take a part of a moment; months and most days count from 0."""

SPANS: dict[str, int] = {
    "getHours": 3600 * SECOND,
    "getMinutes": 60 * SECOND,
    "getSeconds": SECOND,
    "getMilliseconds": 1_000_000,
}
"""The methods that tell a duration in whole units, with each unit's nanoseconds."""


def part_of(moment: Timestamp, name: str, zone: str = "") -> int:
    """Raises EvaluationFailed for a zone that isn't known."""
    place = zone_of(zone)
    if name == "getMilliseconds":
        return moment.nanoseconds % SECOND // 1_000_000
    return PARTS[name](_in_zone(moment, place))


def whole_units(span: Duration, name: str) -> int:
    """How many whole hours, minutes, seconds or milliseconds there are in a duration."""
    count = abs(span.nanoseconds) // SPANS[name]
    return -count if span.nanoseconds < 0 else count
