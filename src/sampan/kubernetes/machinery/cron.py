"""Schedules in the form of cron: five fields, or a name such as `@daily`.

The grammar and the messages are those of the parser that Kubernetes uses for CronJobs
(robfig/cron v3, ParseStandard). It must not know the time.
"""

import re
from collections.abc import Iterator

import msgspec

_LONGEST = 1024
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h))+")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "


class InvalidSchedule(ValueError):
    """The text is no schedule; the message says why."""


class _Bounds(msgspec.Struct, frozen=True):
    least: int
    most: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """A number, or the name of one. Raises InvalidSchedule."""
        if text.lower() in self.names:
            return self.least + self.names.index(text.lower())
        return _number(text)


_FIELDS = (
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, _MONTHS),
    _Bounds(0, 6, _DAYS),
)


class Schedule(msgspec.Struct, frozen=True):
    """The minutes, hours, days of the month, months and days of the week that it names.

    When `any_day` or `any_weekday` is set the other of the two decides alone; else a day fits
    that fits either. With `every`, a duration in Go's form, the sets are empty.
    """

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = False
    any_weekday: bool = False
    every: str = ""


def parse(text: str) -> Schedule:
    """Raises InvalidSchedule."""
    if not text.strip():
        raise InvalidSchedule("empty spec string")
    if len(text) > _LONGEST:
        raise InvalidSchedule("the schedule is too long")
    if text.startswith(_EVERY):
        if not _DURATION.fullmatch(text[len(_EVERY) :]):
            raise InvalidSchedule(f"failed to parse duration {text}")
        return Schedule(every=text[len(_EVERY) :])
    if text.startswith("@"):
        if text not in _NAMED:
            raise InvalidSchedule(f"unrecognized descriptor: {text}")
        text = _NAMED[text]
    fields = text.split()
    if len(fields) != len(_FIELDS):
        shown = " ".join(fields)
        raise InvalidSchedule(f"expected exactly 5 fields, found {len(fields)}: [{shown}]")
    minutes, hours, days, months, weekdays = map(_field, fields, _FIELDS)
    any_day, any_weekday = _is_any(fields[2]), _is_any(fields[4])
    return Schedule(minutes, hours, days, months, weekdays, any_day, any_weekday)


def _is_any(field: str) -> bool:
    return any(part.partition("/")[0] in ("*", "?") for part in field.split(","))


def _field(field: str, bounds: _Bounds) -> frozenset[int]:
    parts = [part for part in field.split(",") if part]
    return frozenset(number for part in parts for number in _range(part, bounds))


def _range(part: str, bounds: _Bounds) -> Iterator[int]:
    """`*`, `3`, `3-5`, each with an optional `/2`."""
    extent, *steps = part.split("/")
    first, *others = extent.split("-")
    if extent in ("*", "?"):
        low, high = bounds.least, bounds.most
    elif len(others) > 1:
        raise InvalidSchedule(f"too many hyphens: {part}")
    else:
        low = bounds.number(first)
        high = bounds.number(others[0]) if others else low
    if len(steps) > 1:
        raise InvalidSchedule(f"too many slashes: {part}")
    step = _number(steps[0]) if steps else 1
    if steps and not others:
        high = bounds.most
    if low < bounds.least:
        raise InvalidSchedule(f"beginning of range ({low}) below minimum ({bounds.least}): {part}")
    if high > bounds.most:
        raise InvalidSchedule(f"end of range ({high}) above maximum ({bounds.most}): {part}")
    if low > high:
        raise InvalidSchedule(f"beginning of range ({low}) beyond end of range ({high}): {part}")
    if step == 0:
        raise InvalidSchedule(f"step of range should be a positive number: {part}")
    return iter(range(low, high + 1, step))


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise InvalidSchedule(
            f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        )
    if int(text) < 0:
        raise InvalidSchedule(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)
