"""Taking a container away with all that it had: its root, volumes, logs, name and record."""

import asyncio

from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.executions import Executions
from sampan.engine.containers.log_files import remove_logs
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.registry import Registry


class Removal:
    def __init__(self, parts: Parts, registry: Registry, executions: Executions) -> None:
        self._parts = parts
        self._registry = registry
        self._executions = executions

    async def remove(
        self, container: ManagedContainer, *, volumes: bool, at_once: bool = False
    ) -> None:
        """Remove one that doesn't run; its lock is held. Raises EngineError, OSError.

        `at_once` tells all who wait before its files are gone, which nobody can see any more.
        """
        container.removing = True
        try:
            if not container.record.host.auto_remove:
                # One that goes at its end is taken away at the next start as it is.
                await self._registry.save(
                    container.change(intent="remove-volumes" if volumes else "remove")
                )
            await asyncio.shield(self.clear(container, volumes=volumes, at_once=at_once))
        except BaseException:
            container.removing = False
            raise
        self._registry.discard(container)
        for session in container.attaching:
            session.give_up()
        container.tell_removal()
        self._registry.publish(container, "destroy")

    async def clear(
        self, container: ManagedContainer, *, volumes: bool, at_once: bool = False
    ) -> None:
        """Take away whatever is there of a container, its record last."""
        identifier, engine = container.identifier, self._parts.engine
        await (engine.discard(identifier) if at_once else engine.remove(identifier))
        await self._parts.volumes.release(identifier, remove_anonymous=volumes)
        remove_logs(self._parts.log_folder(identifier))
        await self._executions.forget(identifier)
        await self._registry.forget(identifier)
