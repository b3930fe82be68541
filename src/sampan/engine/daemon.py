"""The engine's process: the machine's one image store and the machine's own containers.

It serves both on one Unix socket; the engines of the nodes are clients of the images. The
process must be in a mount namespace as `ContainerEngine.open` wants it.
"""

import asyncio
import logging

from sampan.engine.container_engine import ContainerEngine
from sampan.engine.container_service import ContainerService
from sampan.engine.images.local import LocalImages
from sampan.engine.images.service import ImageService
from sampan.engine.images.store import ImageStore
from sampan.engine.service.server import EngineServer
from sampan.foundation.settings import Instance

_log = logging.getLogger(__name__)
_CGROUP = "containers"
_SOCKET = "engine.sock"


async def run_engine(instance: Instance, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; containers run on. Raises OSError, EngineError."""
    store = ImageStore(instance.state_folder / "images")
    state = instance.state_folder / "engine"
    engine = await ContainerEngine.open(state, instance.run_folder / "engine", LocalImages(store))
    containers = ContainerService(engine, f"{instance.cgroup}/{_CGROUP}", state / "logs")
    server = EngineServer(
        instance.run_folder / _SOCKET,
        {**ImageService(store).handlers(), **containers.handlers()},
    )
    await containers.start()
    await server.start()
    _log.info("the engine answers at %s", instance.run_folder / _SOCKET)
    try:
        await stop.wait()
    finally:
        await server.stop()
        await containers.stop()
        await engine.close()
