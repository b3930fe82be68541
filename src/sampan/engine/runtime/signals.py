"""Signals by the names that people and images give them: pure."""

import signal

from sampan.engine.contract import InvalidConfiguration

_DEFAULT_STOP_SIGNAL = "SIGTERM"
_REAL_TIME = ("RTMIN", "RTMAX")


def signal_number(name: str) -> int:
    """The number of a signal given as `SIGTERM`, `TERM`, `RTMIN+3` or `15`; "" is SIGTERM.

    Raises InvalidConfiguration.
    """
    text = (name or _DEFAULT_STOP_SIGNAL).upper().removeprefix("SIG")
    number = int(text) if text.isascii() and text.isdecimal() else _named(text)
    if number == 0:
        raise InvalidConfiguration(f"invalid signal: {name}")
    if number >= signal.NSIG:
        raise InvalidConfiguration(f"the linux daemon does not support signal {number}")
    return number


def _named(text: str) -> int:
    for base in _REAL_TIME:
        offset = text.removeprefix(base)
        if offset != text and offset[:1] in "+-" and offset[1:].isdecimal():
            return int(getattr(signal, f"SIG{base}")) + int(offset)
    known = signal.Signals.__members__.get(f"SIG{text}")
    return int(known) if known is not None else 0
