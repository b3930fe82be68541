"""The machine's own containers on the real mechanism; networks and volumes are plain stand-ins."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from isolation import Place

from sampan.engine.container_engine import ContainerEngine
from sampan.engine.containers.configuration import (
    Configuration,
    EndpointSettings,
    HostConfiguration,
    NetworkingConfiguration,
)
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.service import MachineContainers
from sampan.engine.containers.volume_parts import VolumeParts
from sampan.engine.contract import NotFound
from sampan.engine.events import Event, Events
from sampan.engine.images.local import LocalImages
from sampan.engine.images.machine_images import MachineImages
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.registry.settings import SettingsFile
from sampan.engine.networks.contract import AttachmentRequest, NetworkDetail, Sandbox
from sampan.engine.state import State
from sampan.engine.volumes.contract import AcquiredVolume, VolumeDefinition, VolumeDetail
from sampan.host.identifier_maps import UNMAPPED, OwnerMaps


class PlainNetworks:
    """Every container has a namespace of its own, or the host's, and a file of its host name;
    what is attached is known."""

    def __init__(self, folder: Path) -> None:
        self.attached: dict[str, Sandbox] = {}
        self.folder = folder

    async def attach(self, request: AttachmentRequest) -> Sandbox:
        self.folder.mkdir(parents=True, exist_ok=True)
        hostname = self.folder / request.identity.identifier
        hostname.write_text(f"{request.identity.hostname}\n")
        sandbox = Sandbox(
            identifier=secrets.token_hex(32),
            namespace="host" if request.mode == "host" else "",
            endpoints={request.mode: EndpointSettings()},
            hosts_path="",
            resolver_path="",
            hostname_path=str(hostname),
        )
        self.attached[request.identity.identifier] = sandbox
        return sandbox

    def sandbox(self, container: str) -> Sandbox | None:
        return self.attached.get(container)

    async def release(self, container: str) -> None:
        self.attached.pop(container, None)
        (self.folder / container).unlink(missing_ok=True)

    def inspect(self, reference: str) -> NetworkDetail:
        raise NotFound(f"network {reference} not found")

    async def rename(self, container: str, name: str) -> None:
        assert name

    async def restore(self, running: Collection[str]) -> None:
        self.attached = {key: value for key, value in self.attached.items() if key in running}


class PlainVolumes:
    """Volumes are folders below `folder`; who holds them is known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held: dict[str, set[str]] = {}

    async def acquire(self, container: str, definition: VolumeDefinition) -> AcquiredVolume:
        name = definition.name or secrets.token_hex(32)
        path = self.folder / name
        fresh = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        self.held.setdefault(name, set()).add(container)
        return AcquiredVolume(name=name, path=path, fresh=fresh)

    async def populate(self, name: str, source: Path) -> None:
        for path in source.iterdir():
            (self.folder / name / path.name).write_bytes(path.read_bytes())

    async def mount(self, name: str, container: str, destination: str, *, writable: bool) -> Path:
        return self.folder / name

    async def unmount(self, name: str, container: str) -> None:
        assert container in self.held[name]

    def inspect(self, name: str) -> VolumeDetail:
        if name not in self.held:
            raise NotFound(f"no such volume: {name}")
        return VolumeDetail(created_at="", mountpoint=str(self.folder / name), name=name)

    async def release(self, container: str, *, remove_anonymous: bool = False) -> None:
        for holders in self.held.values():
            holders.discard(container)

    async def restore(self, containers: Mapping[str, bool]) -> None:
        for holders in self.held.values():
            holders.intersection_update(containers)


class Stage:
    """What one life of the engine's process has."""

    def __init__(self, parts: Parts, containers: MachineContainers) -> None:
        self.parts = parts
        self.containers = containers
        self.events: list[Event] = []
        publish = parts.events.publish

        def noted(*words: Any) -> Event:
            event = publish(*words)
            self.events.append(event)
            return event

        parts.events.publish = noted  # type: ignore[method-assign,assignment]

    def actions(self, kind: str = "container") -> list[str]:
        return [event.action for event in self.events if event.kind == kind]

    async def close(self) -> None:
        await self.containers.close()
        await self.parts.engine.close()
        await self.parts.state.close()


async def opened(place: Place, boot: str = "", owners: OwnerMaps = UNMAPPED) -> Stage:
    """A life of the engine over the folders of a test; `boot` tells starts of a machine apart,
    `owners` are the maps of containers that are made from now on."""
    engine = await ContainerEngine.open(
        place.folder / "state", place.folder / "run", LocalImages(place.store), boot=boot
    )
    events = Events()
    images = MachineImages(
        place.store,
        Registries(place.store, SettingsFile(place.folder / "registries.yaml"), lambda: 0.0),
        publish=lambda action, identifier, attributes: events.publish(
            "image", action, identifier, attributes
        ),
        apply_changes=lambda execution, changes: execution,
        clock=lambda: 0.0,
    )
    parts = Parts(
        engine=engine,
        images=images,
        networks=PlainNetworks(place.folder / "sandboxes"),  # type: ignore[arg-type]
        volumes=PlainVolumes(place.folder / "volumes"),  # type: ignore[arg-type]
        events=events,
        state=await State.open(place.folder / "engine.db"),
        cgroup=f"{place.cgroup}/containers",
        logs=place.folder / "container-logs",
        volume_parts=VolumeParts(place.folder / "volume-parts"),
        processors=2,
        platform="linux/amd64",
        host_name="machine",
        owners=owners,
    )
    return Stage(parts, await MachineContainers.open(parts))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Come back when a condition is true; the test's own limit bounds it."""
    while not await condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.02)


async def created(stage: Stage, script: str, name: str = "", **settings: Any) -> str:
    """A container that runs a script; `host` are fields of its host configuration."""
    host = HostConfiguration(network_mode="none", **settings.pop("host", {}))
    configuration = Configuration(image="machine", command=("/bin/sh", "-c", script), **settings)
    answer = await stage.containers.create(name, configuration, host, NetworkingConfiguration())
    return answer.identifier
