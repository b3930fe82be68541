"""The engine of the machine: its images, the containers that people run, and all these need.

Made once, by the engine's process. The engines of nodes keep containers of their own, which are
shown among the machine's.
"""

import os
import socket
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from sampan.engine.build.machine_builds import MachineBuilds
from sampan.engine.build.metadata import apply_changes
from sampan.engine.build.run_step import StepRunner
from sampan.engine.container_engine import DEFAULT_RUNTIME, ContainerEngine
from sampan.engine.containers.machine_limits import limited_by
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.service import MachineContainers
from sampan.engine.containers.storage_options import default_root_size
from sampan.engine.containers.user_remapping import remapping
from sampan.engine.containers.volume_parts import VolumeParts
from sampan.engine.events import Events
from sampan.engine.images.local import LocalImages
from sampan.engine.images.machine_images import MachineImages
from sampan.engine.images.platforms import machine_platform, platform_text
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.registry.settings import SettingsFile
from sampan.engine.images.store import ImageStore
from sampan.engine.networks.container_networks import ContainerNetworks
from sampan.engine.networks.settings import network_settings
from sampan.engine.peers.peers import Peers
from sampan.engine.peers.routed_engine import RoutedEngine
from sampan.engine.state import State
from sampan.engine.volumes.local_volumes import LocalVolumes
from sampan.foundation.settings import Instance
from sampan.host.cgroups import control_groups

_CONTAINERS = "containers"
_BUILDS = "builds"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Use `open_machine`, and `close` at the end: containers run on."""

    store: ImageStore
    registries: Registries
    engine: ContainerEngine
    state: State
    events: Events
    images: MachineImages
    networks: ContainerNetworks
    volumes: LocalVolumes
    containers: MachineContainers
    builds: MachineBuilds
    peers: Peers

    async def close(self) -> None:
        await self.containers.close()
        await self.networks.close()
        await self.engine.close()
        await self.state.close()


async def open_machine(instance: Instance, environment: Mapping[str, str]) -> Machine:
    """Take up what an earlier process left. Raises OSError, EngineError."""
    folder = instance.state_folder / "engine"
    # Whoever has the records has the rest: a second engine would end the containers of the first.
    state, events = await State.open(folder / "engine.db"), Events()
    store, registries = _images(instance)
    engine = await ContainerEngine.open(folder, instance.run_folder / "engine", LocalImages(store))
    networks = await ContainerNetworks.open(
        network_settings(instance, environment), state, events, clock=time.time_ns
    )
    volumes = await LocalVolumes.open(folder / "volumes", state, events, clock=time.time_ns)

    def publish(action: str, identifier: str, attributes: Mapping[str, str]) -> None:
        events.publish("image", action, identifier, {**_labels(store, identifier), **attributes})

    groups = control_groups()
    images = MachineImages(
        store,
        registries,
        publish=publish,
        apply_changes=apply_changes,
        clock=time.time,
    )
    peers = Peers(groups)
    parts = Parts(
        engine=RoutedEngine(engine, peers),
        images=images,
        networks=networks,
        volumes=volumes,
        events=events,
        state=state,
        cgroup=f"{instance.cgroup}/{_CONTAINERS}",
        logs=folder / "logs",
        volume_parts=VolumeParts(instance.run_folder / "engine" / "volume-parts"),
        processors=os.cpu_count() or 1,
        platform=platform_text(machine_platform()),
        host_name=socket.gethostname(),
        default_root_size=default_root_size(environment, engine.containers_folder),
        owners=remapping(environment, lambda file: Path(file).read_text()),
        limited_by=limited_by(groups, f"{instance.cgroup}/{_CONTAINERS}"),
    )
    runner = StepRunner(
        instance.run_folder / "builds", f"{instance.cgroup}/{_BUILDS}", DEFAULT_RUNTIME, networks
    )
    builds = MachineBuilds(
        store, runner, images, registries, publish=partial(events.publish, "container")
    )
    await builds.recover()
    return Machine(
        store=store,
        registries=registries,
        engine=engine,
        state=state,
        events=events,
        images=images,
        networks=networks,
        volumes=volumes,
        containers=await MachineContainers.open(parts),
        builds=builds,
        peers=peers,
    )


def _labels(store: ImageStore, identifier: str) -> dict[str, str]:
    """Those of an image that is there, as its events tell them."""
    image = store.identified(identifier)
    return (image.configuration.execution.labels or {}) if image is not None else {}


def _images(instance: Instance) -> tuple[ImageStore, Registries]:
    store = ImageStore(instance.state_folder / "images")
    configuration = instance.configuration_folder
    settings = SettingsFile(configuration / "registries.yaml")
    credentials = configuration / "registry-credentials.json"
    return store, Registries(store, settings, time.time, credentials)
