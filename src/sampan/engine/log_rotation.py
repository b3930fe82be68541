"""Keeping logs from filling the disk: a log that has grown is set aside and begun anew.

conmon's own limit would cut what was written, so the file is renamed and conmon told to reopen
it. One older file is kept beside the new one.
"""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from sampan.engine.contract import ContainerStatus, Engine, EngineError

SIZE_LIMIT = 16 << 20
_PERIOD = 10.0

_log = logging.getLogger(__name__)


def rotated_file(log: Path) -> Path:
    """Where the older part of a log lies."""
    return log.with_name(log.name + ".1")


async def rotate_for_ever(engine: Engine) -> None:
    """Look after the logs of an engine's running containers until cancelled."""
    while True:
        await asyncio.sleep(_PERIOD)
        await rotate_once(engine, await engine.containers(), SIZE_LIMIT)


async def rotate_once(engine: Engine, containers: Iterable[ContainerStatus], limit: int) -> None:
    """Set aside every log that has grown beyond `limit` bytes."""
    for status in containers:
        log = Path(status.log_path)
        if status.phase != "running" or not _is_larger(log, limit):
            continue
        try:
            log.rename(rotated_file(log))
            await engine.reopen_log(status.identifier)
        except (EngineError, OSError):
            _log.exception("the log of container %s could not be rotated", status.name)


def _is_larger(log: Path, limit: int) -> bool:
    try:
        return log.stat().st_size > limit
    except FileNotFoundError:
        return False
