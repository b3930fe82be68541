"""HEALTHCHECK: how a container of the image is found to be well. Pure.

Source: the Dockerfile reference, "HEALTHCHECK"; durations are written as Go writes them.
"""

import re
from decimal import Decimal

import msgspec

from sampan.engine.build.dockerfile import Instruction
from sampan.engine.build.errors import InvalidDockerfile
from sampan.engine.images.documents import HealthCheck

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_SHORTEST = _NANOSECONDS["ms"]


def health_check(instruction: Instruction) -> HealthCheck:
    """Raises InvalidDockerfile."""
    line = instruction.line
    kind, *rest = instruction.text.split(maxsplit=1)[:2] or [""]
    command = rest[0] if rest else ""
    match kind.upper():
        case "":
            raise InvalidDockerfile("HEALTHCHECK requires at least one argument", line)
        case "NONE" if command:
            raise InvalidDockerfile("HEALTHCHECK NONE takes no arguments", line)
        case "NONE":
            return HealthCheck(test=("NONE",))
        case "CMD":
            test = _test(instruction, command)
        case _:
            raise InvalidDockerfile(f'Unknown type "{kind[:40]}" in HEALTHCHECK (try CMD)', line)
    return HealthCheck(
        test=test,
        interval=_duration(instruction, "interval"),
        timeout=_duration(instruction, "timeout"),
        start_period=_duration(instruction, "start-period"),
        start_interval=_duration(instruction, "start-interval"),
        retries=_retries(instruction),
    )


def _test(instruction: Instruction, command: str) -> tuple[str, ...]:
    if not command:
        raise InvalidDockerfile("Missing command after HEALTHCHECK CMD", instruction.line)
    listed = msgspec.structs.replace(instruction, text=command).json_form()
    return ("CMD-SHELL", command) if listed is None else ("CMD", *listed)


def _duration(instruction: Instruction, flag: str) -> int:
    text = instruction.flag(flag)
    if not text:
        return 0
    found = _nanoseconds(text)
    if found is None:
        raise InvalidDockerfile(f'time: invalid duration "{text[:40]}"', instruction.line)
    if 0 < found < _SHORTEST or found < 0:
        raise InvalidDockerfile(f'Interval "{flag}" cannot be less than 1ms', instruction.line)
    return found


def _nanoseconds(text: str) -> int | None:
    if text == "0":
        return 0
    parts = _PART.findall(text)
    if len(text) > 64 or not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(int(Decimal(number) * _NANOSECONDS[unit]) for number, unit in parts)


def _retries(instruction: Instruction) -> int:
    text = instruction.flag("retries")
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise InvalidDockerfile(
            f'strconv.ParseInt: parsing "{text[:40]}": invalid syntax', instruction.line
        )
    return int(text)


def health_told(check: HealthCheck) -> str:
    """In an image's history it looks as Go's `%q` shows the fields one after another."""
    test = "[" + " ".join(msgspec.json.encode(text).decode() for text in check.test) + "]"
    times = (check.interval, check.timeout, check.start_period, check.start_interval)
    shown = " ".join(f'"{_shown(time)}"' for time in times)
    return f"&{{{test} {shown} '\\x{check.retries & 0xFF:02x}'}}"


def _shown(nanoseconds: int) -> str:
    """A duration as Go prints it: `1m30s`, `500ms`, `0s`."""
    if nanoseconds < _NANOSECONDS["s"]:
        milliseconds = Decimal(nanoseconds) / _NANOSECONDS["ms"]
        return f"{milliseconds.normalize():f}ms" if nanoseconds else "0s"
    minutes, rest = divmod(nanoseconds, _NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    seconds = f"{(Decimal(rest) / _NANOSECONDS['s']).normalize():f}s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds
