"""The engine's process: the machine's one image store and the machine's own containers.

Its private socket serves the images to the engines of the nodes. The process must be in a mount
namespace as `ContainerEngine.open` wants it.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sampan.engine.build.service import BuildService
from sampan.engine.container_engine import ContainerEngine
from sampan.engine.container_service import ContainerService
from sampan.engine.images.local import LocalImages
from sampan.engine.images.service import ImageService
from sampan.engine.machine import Machine, open_machine
from sampan.engine.service.server import EngineServer
from sampan.foundation.settings import Instance

_log = logging.getLogger(__name__)
_SOCKET = "engine.sock"


@asynccontextmanager
async def running_engine(instance: Instance) -> AsyncIterator[Machine]:
    """Serve while the block runs; containers run on after it. Raises OSError, EngineError."""
    machine = await open_machine(instance, os.environ)
    state = instance.state_folder / "command-line"
    engine = await ContainerEngine.open(
        state, instance.run_folder / "command-line", LocalImages(machine.store)
    )
    containers = ContainerService(engine, f"{instance.cgroup}/containers", state / "logs")
    server = EngineServer(
        instance.run_folder / _SOCKET,
        {
            **ImageService(machine.store, machine.registries).handlers(),
            **BuildService(machine.builds).handlers(),
            **containers.handlers(),
        },
    )
    await containers.start()
    await server.start()
    _log.info("the engine answers at %s", instance.run_folder / _SOCKET)
    try:
        yield machine
    finally:
        await server.stop()
        await containers.stop()
        await engine.close()
        await machine.close()
