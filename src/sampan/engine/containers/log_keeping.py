"""The logs of the machine's containers while they run: followed, kept small, and read.

A json-file log is made a moment after something was said, when a run ends, and before it is
read; a container that is gone by then never costs anything. When it is woken is decided here,
what is written is `log_translation`'s.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine

from sampan.engine.containers import (
    json_log,
    log_attributes,
    log_files,
    log_reading,
    log_spool,
    log_translation,
)
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import LogEntry, LogOptions
from sampan.engine.containers.log_translation import LogPlace
from sampan.engine.containers.parts import Parts
from sampan.engine.contract import EngineError
from sampan.engine.log_rotation import is_larger, rotate
from sampan.host import inotify

_log = logging.getLogger(__name__)
_FIRST_SECONDS = 0.25
_GATHERING_SECONDS = 0.05
_RETRY_SECONDS = 5.0
_SPOOL_LIMIT = 16 << 20
# Of two files: who says more for long than can be written must not fill the disk.
_SPOOL_LOST = 256 << 20
_CHANGES = inotify.IN_MODIFY | inotify.IN_CREATE | inotify.IN_MOVED_TO

Keep = Callable[[Coroutine[object, object, None]], asyncio.Task[None]]


class LogKeeping:
    """`keep` runs something beside all else until the engine ends."""

    def __init__(self, parts: Parts, keep: Keep) -> None:
        self._parts = parts
        self._keep = keep

    async def settle(self, container: ManagedContainer) -> str:
        """Before a run: all of the former ones is written, and where this one's monitor is to
        write is told, "" for nowhere. Raises EngineError, OSError."""
        limits = log_files.log_limits(container.record.host.log_configuration)
        if limits is None:
            return ""
        folder = self._parts.log_folder(container.identifier)
        ran_before = folder.exists()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = self._place(container)
        if place is not None:
            if ran_before:
                await log_translation.finish(place)
            log_translation.begin(place, log_attributes.attributes_of(container.record))
        return str(log_files.spool(folder))

    def follow(self, container: ManagedContainer) -> None:
        """A run has begun, or was found: its log is made as it is said, until it ends."""
        place = self._place(container)
        if place is not None:
            container.log_task = self._keep(self._follow(container, place))

    async def finish(self, container: ManagedContainer) -> None:
        """A run has ended: everything it said is written, if anybody will read it."""
        if container.log_task is not None:
            container.log_task.cancel()
            container.log_task = None
        place = self._place(container)
        if place is None:
            return
        unseen = container.record.host.auto_remove and not container.kept_at_end
        if unseen and not container.log_made:
            return
        try:
            async with container.log_lock:
                await log_translation.finish(place)
        except OSError:
            # It is done before the next run.
            _log.exception("the log of container %s could not be written", container.identifier)
        container.log_made = False

    async def read(
        self, container: ManagedContainer, options: LogOptions
    ) -> AsyncIterator[LogEntry]:
        """What was said, in order, with `follow` until the end. Raises OSError."""
        place = self._place(container)
        if place is None:
            file = container.log or log_files.spool(self._parts.log_folder(container.identifier))
            async for entry in log_reading.read(file, options, container.ended):
                yield entry
            return
        await self._make(container, place)
        begun = log_reading.BegunParts(place.limits.files)
        container.log_followers.append(begun)
        try:
            json = log_reading.Form(json_log.parse, begun)
            async for entry in log_reading.read(place.log, options, container.ended, json):
                yield entry
        finally:
            container.log_followers.remove(begun)
            begun.close()

    async def keep_small(self, container: ManagedContainer) -> None:
        """Set a running container's own file aside, where that is the log itself."""
        if container.keeper or self._place(container) is not None:
            return
        limits = log_files.log_limits(container.record.host.log_configuration)
        if limits is None:
            return
        log = log_files.spool(self._parts.log_folder(container.identifier))
        await rotate(self._parts.engine, container.identifier, log, limits)

    async def _follow(self, container: ManagedContainer, place: LogPlace) -> None:
        await asyncio.sleep(_FIRST_SECONDS)
        while True:
            try:
                await self._catch_up(container, place)
                await self._until_changed(container, place)
                await asyncio.sleep(_GATHERING_SECONDS)
            except (EngineError, OSError):
                _log.exception("the log of container %s could not be written", container.identifier)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _catch_up(self, container: ManagedContainer, place: LogPlace) -> None:
        await self._make(container, place)
        if is_larger(place.spool, _SPOOL_LOST):
            _log.warning("container %s says too much, some is left out", container.identifier)
            async with container.log_lock:
                log_translation.pass_over(place)
        waits = not place.spool.exists()
        if (waits or is_larger(place.spool, _SPOOL_LIMIT)) and log_spool.set_aside(place.spool):
            await self._parts.engine.reopen_log(container.identifier)

    async def _until_changed(self, container: ManagedContainer, place: LogPlace) -> None:
        changed = asyncio.Event()

        def tell(names: set[str]) -> None:
            if place.spool.name in names or "" in names:
                changed.set()

        watch = inotify.FolderWatch(place.spool.parent, _CHANGES, tell)
        try:
            # What was said before anybody watched.
            await self._catch_up(container, place)
            await changed.wait()
        finally:
            watch.close()

    def _place(self, container: ManagedContainer) -> LogPlace | None:
        """None for a container whose log is what its monitor writes, or nothing."""
        configuration = container.record.host.log_configuration
        if container.keeper or configuration.kind != log_files.JSON_FILE:
            return None
        limits = log_files.log_limits(configuration)
        folder = self._parts.log_folder(container.identifier)
        if limits is None:
            return None
        log = log_files.json_log_file(folder, container.identifier)
        return LogPlace(log_files.spool(folder), log, limits, container.log_followers)

    @staticmethod
    async def _make(container: ManagedContainer, place: LogPlace) -> None:
        container.log_made = True
        async with container.log_lock:
            await log_translation.catch_up(place)
