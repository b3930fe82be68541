"""The controllers and the scheduler as offices: what a server, or one of several, does besides
answering. How they are filled is in `leadership`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from importlib import import_module
from random import Random

from sampan.control.controllers.all import READER, run_controllers
from sampan.control.controllers.settings import ControllerSettings
from sampan.daemon.leadership import Office
from sampan.kubernetes.client.contract import Client

SCHEDULER = "system:kube-scheduler"


def offices(
    client_for: Callable[[str], Client],
    settings: ControllerSettings,
    clock: Callable[[], datetime],
    random: Random,
) -> tuple[Office, ...]:
    """Controllers and scheduler; `client_for` gives the client of a user."""

    @contextlib.asynccontextmanager
    async def controllers() -> AsyncIterator[None]:
        running = await run_controllers(client_for, settings, clock, random)
        try:
            yield
        finally:
            await running.close()

    @contextlib.asynccontextmanager
    async def scheduler() -> AsyncIterator[None]:
        # With its columns comes a large library, and the API needn't wait for it.
        module = await asyncio.to_thread(import_module, "sampan.control.scheduler.loop")
        running = await module.run_scheduler(client_for(SCHEDULER), clock, random)
        try:
            yield
        finally:
            await running.close()

    return (
        Office("kube-controller-manager", READER, controllers),
        Office("kube-scheduler", SCHEDULER, scheduler),
    )
