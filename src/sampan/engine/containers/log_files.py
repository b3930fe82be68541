"""The files that a container's output is kept in: how large, how many, and setting them aside.

All drivers that keep output write the one format of `engine.logs`; what differs is how much is
kept. A log grows without telling anyone, so sizes are looked at now and then; conmon goes on in
a new file when it is told to.
"""

import asyncio
import gzip
import logging
import re
import shutil
from pathlib import Path

import msgspec

from sampan.engine.containers.configuration import LogConfiguration
from sampan.engine.contract import Engine, EngineError, InvalidConfiguration

_log = logging.getLogger(__name__)
PERIOD_SECONDS = 5.0
COMPRESSED = ".gz"
_SIZE = re.compile(r"(\d+)([bkmg]?)b?", re.IGNORECASE)
_UNITS = {"": 0, "b": 0, "k": 10, "m": 20, "g": 30}
_KNOWN = {"max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"}
_KNOWN |= {"mode", "max-buffer-size"}
_PART = re.compile(r"\.(\d+)(\.gz)?")


class LogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """A log is set aside beyond `size` bytes; of `files`, the living one is one."""

    size: int = 20 << 20
    files: int = 5
    compress: bool = False
    kept: bool = True


def log_limits(configuration: LogConfiguration) -> LogLimits:
    """What a driver and its options mean. Raises InvalidConfiguration in Docker's words."""
    options = configuration.configuration or {}
    if configuration.kind == "none":
        return LogLimits(kept=False)
    kind = configuration.kind or "json-file"
    for name in options:
        if name not in _KNOWN:
            raise InvalidConfiguration(f"unknown log opt '{name[:60]}' for {kind} log driver")
    defaults = LogLimits(compress=kind == "local")
    files = options.get("max-file", str(defaults.files))
    if not files.isdecimal() or int(files) < 1:
        raise InvalidConfiguration("max-file cannot be less than 1")
    return LogLimits(
        size=_bytes(options["max-size"]) if "max-size" in options else defaults.size,
        files=int(files),
        compress=options["compress"] == "true" if "compress" in options else defaults.compress,
    )


def older_parts(log: Path) -> list[Path]:
    """The parts of a log that were set aside, the oldest first."""
    found = {}
    for path in log.parent.glob(f"{log.name}.*"):
        match = _PART.fullmatch(path.name.removeprefix(log.name))
        if match is not None:
            found[int(match[1])] = path
    return [found[number] for number in sorted(found, reverse=True)]


async def rotate(engine: Engine, identifier: str, log: Path, limits: LogLimits) -> None:
    """Set a running container's log aside if it has grown too large."""
    if not _is_larger(log, limits.size):
        return
    try:
        _set_aside(log, limits.files)
        await engine.reopen_log(identifier)
        if limits.compress and limits.files > 1:
            # Only once conmon writes elsewhere.
            await asyncio.to_thread(_compress, _part(log, 1))
    except (EngineError, OSError):
        _log.exception("the log of container %s could not be rotated", identifier)


def remove_logs(log: Path) -> None:
    """Delete a container's folder of logs; no error if there is none."""
    shutil.rmtree(log.parent, ignore_errors=True)


def _part(log: Path, number: int, ending: str = "") -> Path:
    return log.with_name(f"{log.name}.{number}{ending}")


def _set_aside(log: Path, files: int) -> None:
    for path in older_parts(log):
        match = _PART.fullmatch(path.name.removeprefix(log.name))
        if match is None or int(match[1]) + 1 >= files:
            path.unlink()
        else:
            path.rename(_part(log, int(match[1]) + 1, match[2] or ""))
    if files > 1:
        log.rename(_part(log, 1))
    else:
        log.unlink()


def _compress(path: Path) -> None:
    fresh = path.with_name(path.name + COMPRESSED + ".new")
    with path.open("rb") as plain, gzip.open(fresh, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
    fresh.rename(path.with_name(path.name + COMPRESSED))
    path.unlink()


def _is_larger(log: Path, size: int) -> bool:
    try:
        return log.stat().st_size > size
    except FileNotFoundError:
        return False


def _bytes(text: str) -> int:
    if text == "-1":
        return 1 << 62
    found = _SIZE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise InvalidConfiguration(f"invalid max-size: '{text[:40]}'")
    return int(found[1]) << _UNITS[found[2].lower()]
