"""Plugging containers into networks and out, whether they run or not.

What a container is to have is in its record; what it has while it runs is the networks' to make.
"""

from sampan.engine.containers.configuration import EndpointSettings
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.launch import Launch
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.registry import Registry
from sampan.engine.contract import Conflict, Forbidden
from sampan.engine.networks.contract import CONTAINER_MODE, HOST, NONE


async def connect(
    container: ManagedContainer,
    network: str,
    settings: EndpointSettings,
    parts: Parts,
    registry: Registry,
) -> None:
    """See the contract."""
    async with container.lock:
        name = parts.networks.inspect(network).name
        _check_mode(container, name)
        known = container.record.endpoints
        if name in known and container.running:
            raise Forbidden(
                f"endpoint with name {container.record.name} already exists in network {name}"
            )
        if container.running:
            await parts.networks.connect(name, Launch.identity(container), settings)
        kept = {key: value for key, value in known.items() if key != NONE}
        await registry.save(container.change(endpoints={**kept, name: settings}))


async def disconnect(
    container: ManagedContainer, network: str, parts: Parts, registry: Registry, *, force: bool
) -> None:
    """See the contract."""
    async with container.lock:
        name = parts.networks.inspect(network).name
        known = container.record.endpoints
        if container.record.host.network_mode == HOST and name == HOST:
            raise Conflict(
                "container cannot be disconnected from host network or connected to host network"
            )
        if name not in known and not force:
            raise Forbidden(f"container {container.identifier} is not connected to network {name}")
        if container.running:
            await parts.networks.disconnect(name, container.identifier, force=force)
        left = {key: value for key, value in known.items() if key != name}
        await registry.save(container.change(endpoints=left))


def _check_mode(container: ManagedContainer, name: str) -> None:
    mode = container.record.host.network_mode
    if HOST in (mode, name):
        raise Forbidden(
            "container cannot be disconnected from host network or connected to host network"
        )
    if mode.startswith(CONTAINER_MODE):
        raise Forbidden(
            "container sharing network namespace with another container or host cannot be "
            "connected to any other network"
        )
    if name == NONE:
        raise Forbidden(
            "container cannot be connected to multiple networks with one of the networks in "
            "private (none) mode"
        )
