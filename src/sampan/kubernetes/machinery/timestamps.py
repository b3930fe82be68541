"""Times as the API writes them: RFC 3339 in UTC.

metav1.Time is to the second, metav1.MicroTime to the microsecond.
"""

from datetime import UTC, datetime

import msgspec

_SECONDS = 19
_EXACT_LENGTH = 20


class InvalidTimestamp(ValueError):
    """The text is no RFC 3339 time."""


def parse(text: str) -> datetime:
    """An aware time in UTC; raises InvalidTimestamp."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidTimestamp(_message(text)) from error
    if value.tzinfo is None or "T" not in text:
        raise InvalidTimestamp(_message(text))
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidTimestamp(_message(text)) from error


def _message(text: str) -> str:
    return f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse'


def to_seconds(moment: datetime) -> str:
    """`2026-01-02T03:04:05Z`, the form of metav1.Time."""
    return _text(moment)[:_SECONDS] + "Z"


def to_microseconds(moment: datetime) -> str:
    """`2026-01-02T03:04:05.000006Z`, the form of metav1.MicroTime."""
    text = _text(moment)
    return text if moment.microsecond else text[:_SECONDS] + ".000000Z"


def _text(moment: datetime) -> str:
    """RFC 3339 by the quickest writer of it: with six digits of a second, or none."""
    text: str = msgspec.to_builtins(moment.astimezone(UTC))
    return text


def normal_seconds(text: str) -> str:
    """A time that a client wrote, in the form of metav1.Time; raises InvalidTimestamp."""
    moment = parse(text)
    return text if len(text) == _EXACT_LENGTH and text[-1] == "Z" else to_seconds(moment)


def normal_microseconds(text: str) -> str:
    """A time that a client wrote, in the form of metav1.MicroTime; raises InvalidTimestamp."""
    return to_microseconds(parse(text))
