"""What a container meets on its host: looked up and made just before its process is.

Namespaces that it shares with another container, devices, the small init. What it finds goes
into the runtime's document, whose making is pure.
"""

from pathlib import Path

import msgspec

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.contract import NotImplementedHere
from sampan.engine.runtime import cdi_documents, cdi_registry, devices, resources
from sampan.engine.runtime.cdi import DeviceEdits
from sampan.engine.runtime.devices import DeviceNode
from sampan.host import mounts

# Debian's tini-static; whoever packages another static init links it there.
_INIT_PROGRAMS = ("/usr/libexec/sampan/init", "/usr/bin/tini-static", "/usr/libexec/catatonit")
INIT_PATH = "/dev/init"


class SharedNamespaces(msgspec.Struct, frozen=True, kw_only=True):
    """Of other containers: paths of namespaces to enter, and the folder of their /dev/shm."""

    processes: str = ""
    ipc: str = ""
    shared_memory: str = ""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """`init` is the host's path of the program to be the first process, "" for none.

    `shared_memory` is a folder of the host to appear at /dev/shm, "" for a fresh one;
    `block_devices` are the numbers of those that limits name.
    """

    shared: SharedNamespaces = SharedNamespaces()
    shared_memory: str = ""
    init: str = ""
    devices: tuple[DeviceNode, ...] = ()
    block_devices: dict[str, tuple[int, int]] = {}
    edits: DeviceEdits = DeviceEdits()


def surroundings(
    configuration: ContainerConfiguration, shared: SharedNamespaces, shared_memory_folder: Path
) -> Surroundings:
    """What is to be shared of /dev/shm is mounted in `shared_memory_folder`.

    Raises InvalidConfiguration, NotImplementedHere, EngineError, OSError.
    """
    shared_memory = shared.shared_memory
    if configuration.ipc_mode == "shareable":
        shared_memory = _shared_memory(shared_memory_folder, configuration.shared_memory_size)
    edits = cdi_registry.edits_for(configuration.cdi_devices)
    nodes = devices.nodes_of(configuration.devices, every=configuration.privileged)
    return Surroundings(
        shared=shared,
        shared_memory=shared_memory,
        init=_init_program() if configuration.init else "",
        devices=nodes + cdi_documents.device_nodes(edits),
        block_devices=resources.device_numbers(configuration.limits),
        edits=edits,
    )


def _shared_memory(folder: Path, size: int) -> str:
    """A file system in memory that other containers can be given as well."""
    folder.mkdir(mode=0o700)
    mounts.mount_tmpfs(str(folder), size=size, mode=0o1777)
    return str(folder)


def _init_program() -> str:
    for program in _INIT_PROGRAMS:
        if Path(program).is_file():
            return program
    raise NotImplementedHere(
        "no init for containers is installed; the package tini (tini-static) has one"
    )
