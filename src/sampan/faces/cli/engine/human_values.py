"""Sizes and times as lists show them. Pure."""

_UNITS = ("B", "kB", "MB", "GB", "TB")
_PERIODS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400 * 7, "week"), (86400, "day"))
_SHORT_PERIODS = ((3600, "hour"), (60, "minute"), (1, "second"))
SHORT_IDENTIFIER = 12


def size(count: float) -> str:
    """Bytes in units of a thousand, three digits."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.3g}{_UNITS[unit]}"


def age(seconds: float) -> str:
    """How long ago something was, in its largest unit."""
    for length, word in (*_PERIODS, *_SHORT_PERIODS):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {word}{'s' if count > 1 else ''} ago"
    return "just now"


def short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:SHORT_IDENTIFIER]
