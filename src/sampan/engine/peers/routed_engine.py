"""The machine's own engine, which passes on what concerns containers that another engine keeps.

To whoever asks, all containers are of one engine. Only what may be done to a container from
beside its keeper is passed on: its life and its limits are its keeper's to decide.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sampan.engine.configuration import ContainerConfiguration, Limits
from sampan.engine.contract import (
    PLAIN_EXEC,
    ContainerStatus,
    Engine,
    ExecOptions,
    ExecSession,
    ImageDescription,
    Usage,
    Written,
)
from sampan.engine.images.credentials import Credentials
from sampan.engine.peers.peer import Peer
from sampan.host.cgroup_usage import DetailedUsage


class Keepers(Protocol):
    def keeper(self, identifier: str) -> Peer | None: ...


class RoutedEngine:
    """Implements the contract's Engine."""

    def __init__(self, own: Engine, keepers: Keepers) -> None:
        self._own = own
        self._keepers = keepers

    def _of(self, identifier: str) -> Engine | Peer:
        return self._keepers.keeper(identifier) or self._own

    async def stop(self, identifier: str, grace_seconds: float) -> None:
        await self._of(identifier).stop(identifier, grace_seconds)

    async def kill(self, identifier: str, signal: int) -> None:
        await self._of(identifier).kill(identifier, signal)

    async def pause(self, identifier: str) -> None:
        await self._of(identifier).pause(identifier)

    async def unpause(self, identifier: str) -> None:
        await self._of(identifier).unpause(identifier)

    async def root(self, identifier: str) -> Path:
        return await self._of(identifier).root(identifier)

    async def written(self, identifier: str) -> Written:
        return await self._of(identifier).written(identifier)

    async def processes(self, identifier: str) -> tuple[int, ...]:
        return await self._of(identifier).processes(identifier)

    async def status(self, identifier: str) -> ContainerStatus:
        return await self._of(identifier).status(identifier)

    async def detailed_usage(self, identifier: str) -> DetailedUsage:
        return await self._of(identifier).detailed_usage(identifier)

    async def attach(self, identifier: str) -> ExecSession:
        return await self._of(identifier).attach(identifier)

    async def resize(self, identifier: str, columns: int, rows: int) -> None:
        await self._of(identifier).resize(identifier, columns, rows)

    async def execute(
        self, identifier: str, command: tuple[str, ...], options: ExecOptions = PLAIN_EXEC
    ) -> ExecSession:
        return await self._of(identifier).execute(identifier, command, options)

    async def image(self, reference: str) -> ImageDescription:
        return await self._own.image(reference)

    async def images(self) -> list[ImageDescription]:
        return await self._own.images()

    async def pull_image(
        self, reference: str, credentials: tuple[Credentials, ...] = ()
    ) -> ImageDescription:
        return await self._own.pull_image(reference, credentials)

    async def create(self, configuration: ContainerConfiguration, identifier: str = "") -> str:
        return await self._own.create(configuration, identifier)

    async def prepare(
        self, identifier: str, configuration: ContainerConfiguration | None = None
    ) -> None:
        await self._own.prepare(identifier, configuration)

    async def start(self, identifier: str) -> None:
        await self._own.start(identifier)

    async def update(self, identifier: str, limits: Limits) -> None:
        await self._own.update(identifier, limits)

    async def wait(self, identifier: str) -> ContainerStatus:
        return await self._own.wait(identifier)

    async def remove(self, identifier: str) -> None:
        await self._own.remove(identifier)

    async def discard(self, identifier: str) -> None:
        await self._own.discard(identifier)

    async def containers(self) -> list[ContainerStatus]:
        return await self._own.containers()

    async def usage(self, identifier: str) -> Usage:
        return await self._own.usage(identifier)

    def on_change(self, callback: Callable[[ContainerStatus], None]) -> None:
        self._own.on_change(callback)

    async def reopen_log(self, identifier: str) -> None:
        await self._own.reopen_log(identifier)

    async def close(self) -> None:
        await self._own.close()
