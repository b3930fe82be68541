"""The private socket of the engine's process: the machine's images, for the engines of nodes."""

from sampan.engine.images.service import ImageService
from sampan.engine.machine import Machine
from sampan.engine.service.server import EngineServer
from sampan.foundation.settings import Instance

_SOCKET = "engine.sock"


def private_server(instance: Instance, machine: Machine) -> EngineServer:
    """To be started and stopped by who has the machine's engine."""
    service = ImageService(machine.store, machine.registries)
    return EngineServer(instance.run_folder / _SOCKET, service.handlers())
