"""The parts of the engine that the API speaks of."""

from typing import Protocol

from sampan.engine.build.contract import Builds
from sampan.engine.containers.contract import Containers
from sampan.engine.events import Events
from sampan.engine.images.contract import Images
from sampan.engine.networks.contract import Networks
from sampan.engine.volumes.contract import Volumes


class EngineParts(Protocol):
    """What `engine.machine.Machine` is to a face."""

    @property
    def containers(self) -> Containers: ...

    @property
    def images(self) -> Images: ...

    @property
    def networks(self) -> Networks: ...

    @property
    def volumes(self) -> Volumes: ...

    @property
    def builds(self) -> Builds: ...

    @property
    def events(self) -> Events: ...
