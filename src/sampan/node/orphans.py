"""What is left on the node of pods that the API no longer has: found and taken away.

Done once, when the agent has learnt which pods are its own: containers, networks, folders and
logs of a pod that was deleted while the node was away.
"""

import functools
import logging
from collections.abc import Callable
from pathlib import Path

from sampan.engine.contract import EngineError
from sampan.host.nftables import NftablesError
from sampan.node import logs, pod_state
from sampan.node.node_services import NodeServices
from sampan.node.volumes.pod_folders import PodFolders

GRACE_SECONDS = 1.0

_log = logging.getLogger("sampan.node.orphans")


async def remove_orphans(services: NodeServices, is_known: Callable[[str], bool]) -> None:
    """Remove all that belongs to a pod whose uid isn't known. Failures are logged."""
    await _remove_containers(services, is_known)
    settings = services.settings
    found = set(services.network.attachments())
    found |= _left(settings.pods_folder) | _left(settings.memory_folder)
    logged = {name.rsplit("_", 1)[-1]: name for name in _left(settings.logs_folder)}
    for uid in found | logged.keys():
        if is_known(uid):
            continue
        try:
            await _remove_rest(services, uid, logged.get(uid))
        except (OSError, NftablesError) as error:
            _log.warning("something of deleted pod %s stays: %s", uid, error)


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


async def _remove_rest(services: NodeServices, uid: str, logged: str | None) -> None:
    """Network, folders, control group and logs. Raises OSError, NftablesError."""
    settings = services.settings
    await services.network.detach(uid)
    folders = PodFolders(settings.pods_folder / uid, settings.memory_folder / uid)
    await services.aside(folders.remove)
    services.groups.remove(f"{settings.cgroup}/pod{uid}")
    if logged is not None:
        folder = settings.logs_folder / logged
        await services.aside(functools.partial(logs.remove_pod, folder))


def _left(folder: Path) -> set[str]:
    return {item.name for item in folder.iterdir()} if folder.exists() else set()
