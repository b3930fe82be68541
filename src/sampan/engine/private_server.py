"""The private socket of the engine's process, for the engines of nodes: images, and joining."""

from sampan.engine.images.service import ImageService
from sampan.engine.machine import Machine
from sampan.engine.service.server import EngineServer
from sampan.foundation.settings import Instance

_SOCKET = "engine.sock"


def private_server(instance: Instance, machine: Machine) -> EngineServer:
    """To be started and stopped by who has the machine's engine."""
    images = ImageService(machine.store, machine.registries).handlers()
    joining = machine.peers.handlers(machine.containers.display)
    return EngineServer(instance.run_folder / _SOCKET, images | joining)
