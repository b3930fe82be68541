"""Moments and durations as Docker writes and reads them. Pure.

Inside, moments are nanoseconds since the epoch, 0 for "never"; Docker writes Go's zero time then.
"""

import re
from datetime import UTC, datetime, timedelta

from sampan.engine.contract import InvalidConfiguration

NEVER = "0001-01-01T00:00:00Z"
SECOND = 1_000_000_000
_SECONDS = re.compile(r"(-?\d{1,12})(?:\.(\d{1,9}))?")
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?"
)
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}


def written(moment: int) -> str:
    """RFC 3339 with as many digits of a second as are needed; 0 is never."""
    return moment_text(moment) if moment else NEVER


def moment_text(moment: int) -> str:
    """The same for a moment that may well be the first second of 1970."""
    seconds, fraction = divmod(moment, SECOND)
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return _whole(seconds) + digits + "Z"


def padded(moment: int) -> str:
    """RFC 3339 with nine digits of a second, as log lines begin."""
    seconds, fraction = divmod(moment, SECOND)
    return f"{_whole(seconds)}.{fraction:09d}Z"


def _whole(seconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def of_seconds(seconds: float) -> int:
    return int(seconds * SECOND)


def read(text: str, now: int) -> int:
    """A moment: seconds since the epoch, RFC 3339 (or the start of it), or how long ago.

    "" is 0. Raises InvalidConfiguration.
    """
    if not text or text == "0":
        return 0
    if found := _SECONDS.fullmatch(text):
        sign = -1 if text.startswith("-") else 1
        return int(found[1]) * SECOND + sign * int((found[2] or "0").ljust(9, "0"))
    if found := _DATE.fullmatch(text):
        return _of_date(found)
    if _DURATION.fullmatch(text):
        return now - duration(text)
    raise InvalidConfiguration(f'failed to parse value as time or duration: "{text[:80]}"')


def duration(text: str) -> int:
    """A duration of Go's, such as 1h30m. Raises InvalidConfiguration."""
    if not _DURATION.fullmatch(text):
        raise InvalidConfiguration(f'time: invalid duration "{text[:80]}"')
    return sum(int(float(number) * _UNITS[unit]) for number, unit in _PART.findall(text))


def _of_date(found: re.Match[str]) -> int:
    day, hour, fraction, zone = found.groups()
    hour = hour or "00:00:00"
    hour = hour if len(hour) > 5 else f"{hour}:00"
    zone = "+00:00" if zone in (None, "Z") else zone
    try:
        seconds = datetime.fromisoformat(f"{day}T{hour}{zone}").timestamp()
    except ValueError as error:
        raise InvalidConfiguration(f"invalid time: {error}") from error
    return int(seconds) * SECOND + int((fraction or "0").ljust(9, "0"))
