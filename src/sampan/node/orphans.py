"""What is left on the node of pods that the API no longer has: found and taken away.

Done once, when the agent has learnt which pods are its own: containers, networks, folders and
logs of a pod that was deleted while the node was away.
"""

import functools
import logging
from collections.abc import Callable
from pathlib import Path

from sampan.engine.contract import EngineError
from sampan.node import logs, pod_state
from sampan.node.node_services import NodeServices
from sampan.node.volumes.pod_folders import PodFolders

GRACE_SECONDS = 1.0

_log = logging.getLogger("sampan.node.orphans")


async def remove_orphans(services: NodeServices, is_known: Callable[[str], bool]) -> None:
    """Remove all that belongs to a pod whose uid isn't known. Failures are logged."""
    await _remove_containers(services, is_known)
    for uid in tuple(services.network.attachments()):
        if not is_known(uid):
            await services.network.detach(uid)
    settings = services.settings
    for uid in _left(settings.pods_folder) | _left(settings.memory_folder):
        if not is_known(uid):
            await _remove_folders(services, uid)
    for name in _left(settings.logs_folder):
        if not is_known(name.rsplit("_", 1)[-1]):
            await services.aside(functools.partial(logs.remove_pod, settings.logs_folder / name))


async def _remove_containers(services: NodeServices, is_known: Callable[[str], bool]) -> None:
    for status in await services.engine.containers():
        uid = status.labels.get(pod_state.LABEL_UID)
        if uid is None or is_known(uid):
            continue
        try:
            await services.engine.stop(status.identifier, GRACE_SECONDS)
            await services.engine.remove(status.identifier)
        except EngineError as error:
            _log.warning("container %s of a deleted pod stays: %s", status.name, error)


async def _remove_folders(services: NodeServices, uid: str) -> None:
    settings = services.settings
    folders = PodFolders(settings.pods_folder / uid, settings.memory_folder / uid)
    try:
        await services.aside(folders.remove)
        services.groups.remove(f"{settings.cgroup}/pod{uid}")
    except OSError as error:
        _log.warning("folders of deleted pod %s stay: %s", uid, error)


def _left(folder: Path) -> set[str]:
    return {item.name for item in folder.iterdir()} if folder.exists() else set()
