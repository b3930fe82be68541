"""Taking up what an earlier process of the engine left, whatever it was doing when it ended.

A record and the mechanism's own must both be there for a container to be; what only one of
them knows was half made or half taken away, and goes.
"""

import logging

from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.registry import Registry
from sampan.engine.containers.removal import Removal
from sampan.engine.containers.supervision import Supervision
from sampan.engine.contract import ContainerStatus, EngineError

_log = logging.getLogger(__name__)


class Restoration:
    def __init__(
        self, parts: Parts, registry: Registry, removal: Removal, supervision: Supervision
    ) -> None:
        self._parts = parts
        self._registry = registry
        self._removal = removal
        self._supervision = supervision

    async def restore(self) -> None:
        """Know every container, make networks and volumes know them, start those that should
        run. Raises EngineError, OSError."""
        engine = self._parts.engine
        statuses = {status.identifier: status for status in await engine.containers()}
        records = {record.identifier: record for record in await self._registry.saved()}
        kept: list[tuple[ManagedContainer, ContainerStatus]] = []
        for identifier in statuses.keys() - records.keys():
            await engine.remove(identifier)
        for identifier, record in records.items():
            status = statuses.get(identifier)
            container = ManagedContainer(record)
            if status is None or record.intent != "keep":
                await self._removal.clear(container, volumes=record.intent != "remove")
                continue
            self._registry.add(container)
            kept.append((container, status))
        running = {one.identifier: status.phase == "running" for one, status in kept}
        await self._parts.networks.restore([key for key, runs in running.items() if runs])
        await self._parts.volumes.restore(running)
        self._supervision.watch()
        for container, status in kept:
            await self._take_up(container, status)

    async def _take_up(self, container: ManagedContainer, status: ContainerStatus) -> None:
        if status.phase == "running":
            self._supervision.adopt(container, status)
        elif container.record.host.auto_remove:
            async with container.lock:
                try:
                    await self._removal.remove(container, volumes=True)
                except (EngineError, OSError):
                    _log.exception("container %s could not be removed", container.identifier)
        else:
            await self._supervision.recall(container, status)
