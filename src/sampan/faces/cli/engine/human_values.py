"""Sizes, times and long words as lists show them. Pure."""

import time

from sampan.faces.dockerapi.human_durations import human

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
SHORT_IDENTIFIER = 12


def size(count: float, digits: int = 3) -> str:
    """Bytes in units of a thousand."""
    return _in_units(count, 1000, _UNITS, digits)


def binary_size(count: float) -> str:
    """Bytes in units of 1024, four digits."""
    return _in_units(count, 1024, _BINARY_UNITS, 4)


def _in_units(count: float, base: int, units: tuple[str, ...], digits: int) -> str:
    unit = 0
    while count >= base and unit < len(units) - 1:
        count, unit = count / base, unit + 1
    return f"{count:.{digits}g}{units[unit]}"


def age(seconds: float) -> str:
    """About how long ago something was."""
    return f"{human(int(seconds))} ago"


def local_time(moment: float) -> str:
    """A second since the epoch as Go writes it here."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(moment))


def local_moment(nanoseconds: int) -> str:
    """Nanoseconds since the epoch in RFC 3339, in the zone that holds here."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    moment = time.localtime(seconds)
    zone = time.strftime("%z", moment)
    shown = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{fraction:09}{shown}"


def written_time(text: str) -> str:
    """RFC 3339 in UTC as Go prints such a time: a fraction of a second ends in no 0."""
    if not text.endswith("Z"):
        return text
    whole, _, fraction = text[:-1].replace("T", " ").partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction} +0000 UTC" if fraction else f"{whole} +0000 UTC"


def short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:SHORT_IDENTIFIER]


def cut(text: str, width: int) -> str:
    """At most so many characters, the last of which tells that there were more."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
