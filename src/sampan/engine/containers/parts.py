"""What the containers' modules stand on: the mechanism, images, networks, volumes, events, records.

Nothing is decided here.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from sampan.engine.containers.machine_limits import LimitedBy
from sampan.engine.containers.volume_parts import VolumeParts
from sampan.engine.contract import Engine
from sampan.engine.events import Events
from sampan.engine.images.contract import Images
from sampan.engine.networks.contract import Networks
from sampan.engine.state import State
from sampan.engine.volumes.contract import Volumes
from sampan.host.identifier_maps import UNMAPPED, OwnerMaps


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """`cgroup` holds the containers' groups, `logs` a folder of logs for each of them.

    `clock` gives nanoseconds since the epoch. `owners` are the maps of containers' users.
    """

    engine: Engine
    images: Images
    networks: Networks
    volumes: Volumes
    events: Events
    state: State
    cgroup: str
    logs: Path
    volume_parts: VolumeParts
    processors: int
    platform: str
    host_name: str
    limited_by: LimitedBy = LimitedBy()
    default_root_size: int = 0
    clock: Callable[[], int] = time.time_ns
    owners: OwnerMaps = UNMAPPED
    random_source: random.Random = msgspec.field(default_factory=random.SystemRandom)

    def log_folder(self, identifier: str) -> Path:
        """Where a container's output is kept."""
        return self.logs / identifier
