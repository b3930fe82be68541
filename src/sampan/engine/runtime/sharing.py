"""Namespaces that a container shares with another one: found when its process is made."""

from collections.abc import Callable

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.contract import Conflict
from sampan.engine.runtime.bundle import ContainerFolders
from sampan.engine.runtime.record import ContainerRecord
from sampan.engine.runtime.surroundings import SharedNamespaces
from sampan.host import processes


def shared_namespaces(
    configuration: ContainerConfiguration,
    find: Callable[[str], ContainerRecord],
    folders: ContainerFolders,
) -> SharedNamespaces:
    """`find` gives another container's record. Raises Conflict when that one doesn't run."""
    of_processes = configuration.share_process_namespace_of
    of_ipc = configuration.share_ipc_namespace_of
    shared_memory = ""
    if of_ipc:
        sharer = find(of_ipc)
        if sharer.configuration.ipc_mode != "shareable":
            raise Conflict(
                f"cannot join IPC of container {sharer.configuration.name}: it is not shareable "
                "(hint: use IpcMode:shareable for the donor container)"
            )
        shared_memory = str(folders.shared_memory(sharer.identifier))
    return SharedNamespaces(
        processes=_path(find(of_processes), "pid") if of_processes else "",
        ipc=_path(find(of_ipc), "ipc") if of_ipc else "",
        shared_memory=shared_memory,
    )


def _path(sharer: ContainerRecord, namespace: str) -> str:
    if not (sharer.has_process and sharer.process and processes.is_alive(sharer.process)):
        raise Conflict(
            f"cannot join namespace of a non running container: {sharer.configuration.name}"
        )
    return f"/proc/{sharer.process.process}/ns/{namespace}"
