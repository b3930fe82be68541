"""What the API tells of the machine and the engine besides what is in them."""

import msgspec


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Read once, when the engine's process starts. `identifier` is this engine's alone."""

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
    cgroup_version: int
    state_folder: str
    runtime: str
    python: str
