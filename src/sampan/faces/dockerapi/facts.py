"""What the API tells of the machine and the engine besides what is in them."""

import msgspec

from sampan.engine.containers.machine_limits import LimitedBy


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Read once, when the engine's process starts. `identifier` is this engine's alone;
    `storage` says how layers are kept, `security` what confines containers."""

    version: str
    identifier: str
    name: str
    kernel: str
    architecture: str
    machine: str
    operating_system: str
    operating_system_version: str = ""
    processors: int
    memory: int
    limits: LimitedBy
    storage: tuple[tuple[str, str], ...]
    security: tuple[str, ...]
    state_folder: str
    runtime: str
    python: str
