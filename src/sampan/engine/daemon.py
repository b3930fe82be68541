"""The engine's process: the machine's one image store and the machine's own containers.

It serves both on one Unix socket; the engines of the nodes are clients of the images. The
process must be in a mount namespace as `ContainerEngine.open` wants it.
"""

import asyncio
import logging
import time

from sampan.engine.build.run_step import StepRunner
from sampan.engine.build.service import BuildService
from sampan.engine.container_engine import DEFAULT_RUNTIME, ContainerEngine
from sampan.engine.container_service import ContainerService
from sampan.engine.images.local import LocalImages
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.registry.settings import read_settings
from sampan.engine.images.service import ImageService
from sampan.engine.images.store import ImageStore
from sampan.engine.service.server import EngineServer
from sampan.foundation.settings import Instance

_log = logging.getLogger(__name__)
_CONTAINERS = "containers"
_BUILDS = "builds"
_SOCKET = "engine.sock"


async def run_engine(instance: Instance, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; containers run on. Raises OSError, EngineError."""
    store = ImageStore(instance.state_folder / "images")
    state = instance.state_folder / "engine"
    configuration = instance.configuration_folder
    registries = Registries(
        store,
        read_settings(configuration / "registries.yaml"),
        time.time,
        configuration / "registry-credentials.json",
    )
    engine = await ContainerEngine.open(state, instance.run_folder / "engine", LocalImages(store))
    containers = ContainerService(engine, f"{instance.cgroup}/{_CONTAINERS}", state / "logs")
    builds = BuildService(
        store,
        StepRunner(instance.run_folder / "builds", f"{instance.cgroup}/{_BUILDS}", DEFAULT_RUNTIME),
    )
    server = EngineServer(
        instance.run_folder / _SOCKET,
        {
            **ImageService(store, registries).handlers(),
            **builds.handlers(),
            **containers.handlers(),
        },
    )
    await builds.recover()
    await containers.start()
    await server.start()
    _log.info("the engine answers at %s", instance.run_folder / _SOCKET)
    try:
        await stop.wait()
    finally:
        await server.stop()
        await containers.stop()
        await engine.close()
