"""The volumes of one engine (`contract.Volumes`): folders with names, and who holds them.

Theory: a volume is a record and a folder; a hold is a record of a container with the names of its
volumes, written before the container gets them. Both survive a crash of the engine; what is
mounted is found in the kernel.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from sampan.engine.contract import Conflict, EngineError, InvalidConfiguration, NotFound
from sampan.engine.events import Events
from sampan.engine.snapshots.size_limit import SizeLimit, free_project, give_back, limit_folders
from sampan.engine.state import State
from sampan.engine.volumes.content import copy_content
from sampan.engine.volumes.contract import (
    LOCAL_DRIVER,
    AcquiredVolume,
    PrunedVolumes,
    VolumeDefinition,
    VolumeDetail,
    VolumeUsage,
)
from sampan.engine.volumes.mount_options import MountPlan, mount_plan, size_limit
from sampan.engine.volumes.record import (
    HOLD_KIND,
    VOLUME_KIND,
    VolumeRecord,
    recorded_volume,
)
from sampan.host import mounts
from sampan.host.project_quota import has_project_quotas
from sampan.host.tree_removal import remove_tree
from sampan.host.tree_size import tree_size

_DATA, _FRESH = "_data", "_fresh"


class LocalVolumes:
    """Use `open`. Folders are made, filled and removed in threads."""

    def __init__(
        self, folder: Path, state: State, events: Events, *, clock: Callable[[], int]
    ) -> None:
        self._folder = folder
        self._state = state
        self._events = events
        self._clock = clock
        self._volumes: dict[str, VolumeRecord] = {}
        self._holds: dict[str, tuple[str, ...]] = {}
        self._mounted: dict[str, set[str]] = {}
        self._changing = asyncio.Lock()
        self._filling = asyncio.Lock()

    @classmethod
    async def open(
        cls, folder: Path, state: State, events: Events, *, clock: Callable[[], int]
    ) -> "LocalVolumes":
        """Take up the volumes that are recorded. `clock` gives nanoseconds since the epoch.
        Raises EngineError, OSError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o701)
        volumes = cls(folder, state, events, clock=clock)
        for name, document in (await state.documents(VOLUME_KIND)).items():
            volumes._volumes[name] = msgspec.json.decode(document, type=VolumeRecord)
        for container, document in (await state.documents(HOLD_KIND)).items():
            volumes._holds[container] = msgspec.json.decode(document, type=tuple[str, ...])
        return volumes

    def _place(self, name: str) -> Path:
        return self._folder / name / _DATA

    def _find(self, name: str) -> VolumeRecord:
        try:
            return self._volumes[name]
        except KeyError:
            raise NotFound(f"get {name}: no such volume") from None

    def _tell(self, action: str, name: str, **attributes: str) -> None:
        self._events.publish("volume", action, name, {"driver": LOCAL_DRIVER, **attributes})

    # Volumes

    async def create(self, definition: VolumeDefinition) -> VolumeDetail:
        """As the contract says."""
        async with self._changing:
            volume = await self._made(definition)
        return self.inspect(volume.name)

    async def _made(self, definition: VolumeDefinition, fresh_name: str = "") -> VolumeRecord:
        if definition.driver not in ("", LOCAL_DRIVER):
            driver = definition.driver
            raise NotFound(f'error looking up volume plugin {driver}: plugin "{driver}" not found')
        if definition.name in self._volumes:
            return self._volumes[definition.name]
        moment = datetime.fromtimestamp(self._clock() // 1_000_000_000, UTC)
        created = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        volume = recorded_volume(
            definition, name=fresh_name or secrets.token_hex(32), created=created
        )
        try:
            mount_plan(volume.options)
            volume = self._limited(volume)
        except InvalidConfiguration as problem:
            raise InvalidConfiguration(f"create {volume.name}: {problem}") from problem
        await self._state.put(VOLUME_KIND, volume.name, msgspec.json.encode(volume))
        await asyncio.to_thread(_make_folder, self._place(volume.name), _limit(volume))
        self._volumes[volume.name] = volume
        self._tell("create", volume.name)
        return volume

    def _limited(self, volume: VolumeRecord) -> VolumeRecord:
        """With a project to be counted for, if its size is limited. Raises InvalidConfiguration."""
        if not size_limit(volume.options):
            return volume
        if not has_project_quotas(self._folder):
            raise InvalidConfiguration("quota size requested but no quota support")
        return msgspec.structs.replace(volume, project=free_project(self._folder))

    def volumes(self) -> list[VolumeDetail]:
        """As the contract says."""
        return [self.inspect(name) for name in sorted(self._volumes)]

    def inspect(self, name: str) -> VolumeDetail:
        """As the contract says."""
        return self._find(name).detail(str(self._place(name)))

    async def usage(self) -> list[VolumeDetail]:
        """As the contract says."""
        holders = self.holders()
        found = []
        for name, volume in sorted(self._volumes.items()):
            size = await asyncio.to_thread(self._size, name)
            usage = VolumeUsage(size=size, ref_count=len(holders.get(name, ())))
            found.append(volume.detail(str(self._place(name)), usage))
        return found

    def _size(self, name: str) -> int:
        try:
            return tree_size(self._place(name))
        except FileNotFoundError:
            return -1  # removed meanwhile

    async def remove(self, name: str, *, force: bool = False) -> None:
        """As the contract says."""
        async with self._changing:
            if force and name not in self._volumes:
                return
            self._find(name)
            holders = self.holders().get(name)
            if holders:
                raise Conflict(f"remove {name}: volume is in use - [{', '.join(holders)}]")
            await self._remove(name)

    async def _remove(self, name: str) -> None:
        """The folder first: whoever dies in between finds the record, and removes it again."""
        try:
            project = self._volumes[name].project
            await asyncio.to_thread(_remove_folder, self._folder / name, project)
        except OSError as problem:
            raise EngineError(f"unable to remove volume {name}: {problem}") from problem
        await self._state.delete(VOLUME_KIND, name)
        del self._volumes[name]
        self._tell("destroy", name)

    async def prune(self, wanted: Callable[[VolumeDetail], bool]) -> PrunedVolumes:
        """As the contract says."""
        removed, space = [], 0
        async with self._changing:
            held = self.holders()
            for name in sorted(self._volumes):
                if name not in held and wanted(self.inspect(name)):
                    space += max(0, await asyncio.to_thread(self._size, name))
                    await self._remove(name)
                    removed.append(name)
        self._events.publish("volume", "prune", "", {"reclaimed": str(space)})
        return PrunedVolumes(names=tuple(removed), space_reclaimed=space)

    # Containers that hold them

    async def acquire(self, container: str, definition: VolumeDefinition) -> AcquiredVolume:
        """As the contract says."""
        async with self._changing:
            # Held before it is there: whoever dies in between leaves nothing that nobody holds.
            name = definition.name or secrets.token_hex(32)
            await self._hold(container, (*self._holds.get(container, ()), name))
            volume = await self._made(definition, name)
        place = self._place(volume.name)
        fresh = not volume.is_mounted and not await asyncio.to_thread(_has_content, place)
        return AcquiredVolume(name=volume.name, path=place, fresh=fresh)

    async def _hold(self, container: str, names: tuple[str, ...]) -> None:
        names = tuple(dict.fromkeys(names))
        await self._state.put(HOLD_KIND, container, msgspec.json.encode(names))
        self._holds[container] = names

    async def populate(self, name: str, source: Path) -> None:
        """As the contract says."""
        volume = self._find(name)
        if not volume.is_mounted:
            async with self._filling:
                await asyncio.to_thread(_populate, self._folder / name, source)

    def holders(self) -> Mapping[str, tuple[str, ...]]:
        """As the contract says."""
        found: dict[str, tuple[str, ...]] = {}
        for container, names in self._holds.items():
            for name in names:
                found[name] = (*found.get(name, ()), container)
        return found

    async def release(self, container: str, *, remove_anonymous: bool = False) -> None:
        """As the contract says."""
        async with self._changing:
            names = self._holds.get(container, ())
            for name in names:
                await self._unmount(name, container)
            holders = self.holders()
            for name in names if remove_anonymous else ():
                volume = self._volumes.get(name)
                if volume is not None and volume.anonymous and holders[name] == (container,):
                    await self._remove(name)
            # Last, for the next process to go on with what is left.
            await self._state.delete(HOLD_KIND, container)
            self._holds.pop(container, None)

    # Containers that run

    async def mount(self, name: str, container: str, destination: str, *, writable: bool) -> Path:
        """As the contract says."""
        async with self._changing:
            volume = self._find(name)
            place = self._place(name)
            plan = mount_plan(volume.options)
            try:
                await asyncio.to_thread(_mount, place, plan)
            except OSError as problem:
                raise EngineError(
                    f"error while mounting volume '{place}': failed to mount local volume: "
                    f"{problem.strerror}"
                ) from problem
            self._mounted.setdefault(name, set()).add(container)
        rights = "true" if writable else "false"
        attributes = {"container": container, "destination": destination, "read/write": rights}
        self._tell("mount", name, propagation="", **attributes)
        return place

    async def unmount(self, name: str, container: str) -> None:
        """As the contract says."""
        async with self._changing:
            await self._unmount(name, container)

    async def _unmount(self, name: str, container: str) -> None:
        users = self._mounted.get(name, set())
        if container not in users:
            return
        users.discard(container)
        volume = self._volumes.get(name)
        if not users:
            del self._mounted[name]
            if volume is not None and volume.is_mounted:
                await asyncio.to_thread(_unmount, self._place(name))
        self._tell("unmount", name, container=container)

    # The daemon's life

    async def restore(self, containers: Mapping[str, bool]) -> None:
        """As the contract says."""
        for container in self._holds.keys() - containers.keys():
            await self.release(container, remove_anonymous=True)
        for container, names in self._holds.items():
            if containers[container]:
                for name in names:
                    self._mounted.setdefault(name, set()).add(container)
        for name, volume in self._volumes.items():
            if not self._place(name).exists():
                await asyncio.to_thread(_make_folder, self._place(name), _limit(volume))
            if volume.is_mounted and name not in self._mounted:
                await asyncio.to_thread(_unmount, self._place(name))

    async def close(self) -> None:
        """Nothing is held open; what is mounted stays."""


def _limit(volume: VolumeRecord) -> SizeLimit | None:
    return SizeLimit(volume.project, size_limit(volume.options)) if volume.project else None


def _make_folder(place: Path, limit: SizeLimit | None) -> None:
    place.parent.mkdir(mode=0o701, exist_ok=True)
    if limit is not None:
        limit_folders((place.parent,), limit)
    place.mkdir(mode=0o755, exist_ok=True)


def _remove_folder(folder: Path, project: int) -> None:
    _unmount(folder / _DATA)
    give_back(folder.parent, project)
    with contextlib.suppress(FileNotFoundError):
        remove_tree(folder)


def _has_content(place: Path) -> bool:
    with os.scandir(place) as entries:
        return any(entries)


def _populate(folder: Path, source: Path) -> None:
    """The copy is made beside and takes the empty folder's place as a whole."""
    if _has_content(folder / _DATA) or not source.is_dir():
        return
    fresh = folder / _FRESH
    with contextlib.suppress(FileNotFoundError):
        remove_tree(fresh)
    fresh.mkdir(mode=0o700)
    copy_content(source, fresh)
    os.rename(fresh, folder / _DATA)


def _mount(place: Path, plan: MountPlan | None) -> None:
    if plan is None or _is_mounted(place):
        return
    if plan.bind:
        mounts.mount_bind(plan.bind, str(place), read_only=plan.read_only)
    else:
        mounts.mount("tmpfs", str(place), "tmpfs", plan.flags, plan.options)


def _is_mounted(place: Path) -> bool:
    return any(entry.target == str(place) for entry in mounts.mount_entries())


def _unmount(place: Path) -> None:
    if _is_mounted(place):
        mounts.unmount(place, lazily=True)
