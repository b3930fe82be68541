"""Keeps the logs of running containers below their limit.

A log grows without telling anyone, so their sizes are looked at now and then.
"""

import asyncio
import functools
import logging
from pathlib import Path

from sampan.engine.contract import ContainerStatus, Engine, EngineError
from sampan.node import logs
from sampan.node.settings import AgentSettings

_log = logging.getLogger("sampan.node.logs")


async def keep_logs_small(settings: AgentSettings, engine: Engine) -> None:
    """Turn over what has grown too large; never returns."""
    while True:
        await asyncio.sleep(settings.log_check_seconds)
        for status in await engine.containers():
            if status.phase == "running" and status.log_path:
                await _turn_over(settings, engine, status)


async def _turn_over(settings: AgentSettings, engine: Engine, status: ContainerStatus) -> None:
    try:
        await logs.turn_over(
            Path(status.log_path),
            limit=settings.log_size_limit,
            files=settings.log_files,
            reopen=functools.partial(engine.reopen_log, status.identifier),
        )
    except (OSError, EngineError) as error:
        _log.warning("log of %s was not turned over: %s", status.name, error)
