"""Keeping logs from filling the disk: a log that has grown is set aside and begun anew.

conmon's own limit would cut what was written, so the file is renamed and conmon told to reopen
it: no line is lost. Older parts lie beside the log as `LOG.1` (the newest), `LOG.2`, …
A log grows without telling anyone, so sizes are looked at now and then.
"""

import asyncio
import logging
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from sampan.engine.contract import ContainerStatus, Engine, EngineError

_log = logging.getLogger(__name__)


class LogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """A log is set aside beyond `size` bytes; `files` are kept, the living one among them."""

    size: int = 10 << 20
    files: int = 5
    period_seconds: float = 10.0


def rotated_file(log: Path, number: int = 1) -> Path:
    """Where an older part of a log lies."""
    return log.with_name(f"{log.name}.{number}")


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
        log = Path(status.log_path)
        if status.phase != "running" or not _is_larger(log, limits.size):
            continue
        try:
            _set_aside(log, limits.files)
            await engine.reopen_log(status.identifier)
        except (EngineError, OSError):
            _log.exception("the log of container %s could not be rotated", status.name)


def remove_log(log: Path) -> None:
    """Delete a log with its older parts; no error if there is none."""
    for number in _older_parts(log):
        rotated_file(log, number).unlink(missing_ok=True)
    log.unlink(missing_ok=True)


def _set_aside(log: Path, files: int) -> None:
    for number in sorted(_older_parts(log), reverse=True):
        if number + 1 >= files:
            rotated_file(log, number).unlink()
        else:
            rotated_file(log, number).rename(rotated_file(log, number + 1))
    log.rename(rotated_file(log))


def _older_parts(log: Path) -> list[int]:
    form = re.compile(re.escape(log.name) + r"\.(\d+)")
    found = (form.fullmatch(item.name) for item in log.parent.glob(f"{log.name}.*"))
    return [int(match[1]) for match in found if match]


def _is_larger(log: Path, size: int) -> bool:
    try:
        return log.stat().st_size > size
    except FileNotFoundError:
        return False
