"""Keeping logs from filling the disk: a log that has grown is set aside and begun anew.

conmon's own limit would cut what was written, so the file is renamed and conmon told to reopen
it: no line is lost. Older parts lie beside the log as `LOG.1` (the newest), `LOG.2`, …, each with
`.gz` behind it if it is compressed. A log grows without telling anyone, so sizes are looked at
now and then.
"""

import asyncio
import gzip
import logging
import re
import shutil
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import msgspec

from sampan.engine.contract import ContainerStatus, Engine, EngineError

_log = logging.getLogger(__name__)
COMPRESSED = ".gz"
_PART = re.compile(r"\.(\d+)(\.gz)?")
_CHUNK = 1 << 20


class LogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """A log is set aside beyond `size` bytes; `files` are kept, the living one among them.

    `compress`: what was set aside takes less room, and longer to read.
    """

    size: int = 10 << 20
    files: int = 5
    compress: bool = False
    period_seconds: float = 10.0


def rotated_file(log: Path, number: int = 1, ending: str = "") -> Path:
    """Where an older part of a log lies."""
    return log.with_name(f"{log.name}.{number}{ending}")


def older_parts(log: Path) -> list[Path]:
    """The parts of a log that were set aside, the oldest first; each in one form."""
    parts = sorted(_numbered_parts(log), reverse=True)
    names = {path.name for _, path in parts}
    return [path for _, path in parts if path.name + COMPRESSED not in names]


async def keep_logs_small(engine: Engine, limits: LogLimits) -> None:
    """Look after the logs of an engine's running containers until cancelled."""
    while True:
        await asyncio.sleep(limits.period_seconds)
        await rotate_once(engine, await engine.containers(), limits)


async def rotate_once(
    engine: Engine, containers: Iterable[ContainerStatus], limits: LogLimits
) -> None:
    """Set aside every log of a running container that has grown too large."""
    for status in containers:
        if status.phase == "running":
            await rotate(engine, status.identifier, Path(status.log_path), limits)


async def rotate(engine: Engine, identifier: str, log: Path, limits: LogLimits) -> None:
    """Set the log of one running container aside if it has grown too large."""
    if not is_larger(log, limits.size):
        return
    try:
        set_aside(log, limits.files)
        await engine.reopen_log(identifier)
        if limits.compress and limits.files > 1:
            # Only once conmon writes elsewhere.
            await asyncio.to_thread(compress_parts, log)
    except (EngineError, OSError):
        _log.exception("the log of container %s could not be rotated", identifier)


def remove_log(log: Path) -> None:
    """Delete a log with its older parts; no error if there is none."""
    for _, part in _numbered_parts(log):
        part.unlink(missing_ok=True)
    log.unlink(missing_ok=True)


def set_aside(log: Path, files: int) -> None:
    """Make a log the newest of its older parts; the oldest beyond `files` goes. Raises OSError.

    One that was cut off has left a gap among the numbers: those beyond it stay where they are.
    """
    parts = _numbered_parts(log)
    numbers = {number for number, _ in parts}
    gap = next(number for number in count(1) if number not in numbers)
    for number, part in sorted(parts, reverse=True):
        if number >= files - (number < gap):
            part.unlink()
        elif number < gap:
            ending = COMPRESSED if part.name.endswith(COMPRESSED) else ""
            part.rename(rotated_file(log, number + 1, ending))
    if files > 1:
        log.rename(rotated_file(log))
    else:
        log.unlink()


def compress_parts(log: Path) -> None:
    """Let the older parts of a log take less room. Raises OSError."""
    for _, part in _numbered_parts(log):
        if part.name.endswith(COMPRESSED):
            continue
        packed_part = part.with_name(part.name + COMPRESSED)
        # Both are there where an earlier process was cut off before it deleted one.
        if not packed_part.exists():
            fresh = part.with_name(f"{packed_part.name}.new")
            with part.open("rb") as plain, gzip.open(fresh, "wb", compresslevel=6) as packed:
                shutil.copyfileobj(plain, packed, _CHUNK)
            fresh.rename(packed_part)
        part.unlink()


def _numbered_parts(log: Path) -> list[tuple[int, Path]]:
    found = (
        (_PART.fullmatch(it.name, len(log.name)), it) for it in log.parent.glob(f"{log.name}.*")
    )
    return [(int(match[1]), path) for match, path in found if match]


def is_larger(log: Path, size: int) -> bool:
    """Whether a file, if it is there, has more than so many bytes."""
    try:
        return log.stat().st_size > size
    except FileNotFoundError:
        return False
