"""The networks of one engine: what is defined, and who is on them (`contract.Networks`).

Theory: a network is a record; its bridge, rules and names follow from it and from the sandboxes
of running containers. Definitions change one at a time. The default bridge comes into the
kernel with its first container, others with their definition.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime

import msgspec

from sampan.engine.containers.configuration import EndpointSettings
from sampan.engine.contract import EngineError, Forbidden
from sampan.engine.events import Events
from sampan.engine.networks.address_plan import default_subnet
from sampan.engine.networks.contract import (
    BRIDGE,
    HOST,
    NONE,
    PREDEFINED,
    AttachmentRequest,
    ConnectedContainer,
    ContainerIdentity,
    CreatedNetwork,
    NetworkDefinition,
    NetworkDetail,
    Sandbox,
)
from sampan.engine.networks.definitions import Surroundings, defined_network, predefined_network
from sampan.engine.networks.endpoint_plan import endpoint_wishes
from sampan.engine.networks.live_sandbox import LiveSandbox
from sampan.engine.networks.record import NETWORK_KIND, NetworkRecord
from sampan.engine.networks.registry import NetworkRegistry
from sampan.engine.networks.sandbox_record import PlacedEndpoint, SandboxRecord
from sampan.engine.networks.sandboxes import Sandboxes
from sampan.engine.networks.settings import NetworkSettings
from sampan.engine.state import State
from sampan.host.nftables import NftablesError
from sampan.network.bridges.bridges import Bridges
from sampan.network.bridges.contract import Bridge

_DEVICE_DIGITS = 7
_log = logging.getLogger(__name__)


class ContainerNetworks:
    """Use `open`, then `restore` once it is known which containers run."""

    def __init__(
        self,
        settings: NetworkSettings,
        state: State,
        events: Events,
        *,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._state = state
        self._events = events
        self._clock = clock
        self._registry = NetworkRegistry()
        self._bridges = Bridges(settings.bridges)
        self._sandboxes = Sandboxes(settings, self._registry, self._bridges)
        self._default_is_used = False
        self._defining = asyncio.Lock()

    @classmethod
    async def open(
        cls, settings: NetworkSettings, state: State, events: Events, *, clock: Callable[[], int]
    ) -> "ContainerNetworks":
        """Take up the networks that are recorded, and make the predefined ones. `clock` gives
        nanoseconds since the epoch. The calling thread's network namespace is the machine's.
        Raises EngineError, OSError."""
        networks = cls(settings, state, events, clock=clock)
        for document in (await state.documents(NETWORK_KIND)).values():
            networks._registry.add(msgspec.json.decode(document, type=NetworkRecord))
        await networks._make_predefined()
        return networks

    async def _make_predefined(self) -> None:
        present = {network.name for network in self._registry}
        if present.issuperset(PREDEFINED):
            return
        routed = await self._bridges.routed_networks()
        taken = [*self._settings.reserved, *routed]
        for name in PREDEFINED:
            if name not in present:
                network = predefined_network(
                    name,
                    identifier=secrets.token_hex(32),
                    created=self._now(),
                    device=self._settings.default_device,
                    subnet=default_subnet(self._settings.range, taken),
                )
                await self._keep(network)

    def _now(self) -> str:
        seconds, nanoseconds = divmod(self._clock(), 1_000_000_000)
        moment = datetime.fromtimestamp(seconds, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"

    async def _keep(self, network: NetworkRecord) -> None:
        self._registry.add(network)
        try:
            document = msgspec.json.encode(network)
            await self._state.put(NETWORK_KIND, network.identifier, document)
        except BaseException:
            self._registry.remove(network.identifier)
            raise

    # Definitions

    async def create(self, definition: NetworkDefinition) -> CreatedNetwork:
        """As the contract says."""
        async with self._defining:
            identifier = secrets.token_hex(32)
            network = defined_network(
                definition,
                identifier=identifier,
                created=self._now(),
                device=self._settings.device_prefix + identifier[:_DEVICE_DIGITS],
                surroundings=Surroundings(
                    own=self._settings.range,
                    reserved=self._settings.reserved,
                    routed=tuple(await self._bridges.routed_networks()),
                    networks=tuple(self._registry),
                ),
            )
            await self._keep(network)
            try:
                await self._set_bridges()
                await self._have_parent(network)
            except BaseException:
                await self._forget(network)
                raise
        self._tell("create", network)
        return CreatedNetwork(identifier=identifier)

    async def _set_bridges(self) -> None:
        """Have the bridges of all networks in the kernel (EngineError)."""
        try:
            await self._bridges.set_bridges(self._wanted_bridges())
        except (OSError, NftablesError) as problem:
            raise EngineError(f"the kernel refused a bridge: {problem}") from problem

    async def _have_parent(self, network: NetworkRecord) -> None:
        """Have what containers' interfaces are to stand on in the kernel (EngineError)."""
        if network.parent is not None:
            try:
                await self._bridges.have_parent(network.parent.parent)
            except OSError as problem:
                reason = problem.strerror
                raise EngineError(f"failed to make the network's parent: {reason}") from problem

    def _wanted_bridges(self) -> list[Bridge]:
        return [
            bridge
            for network in self._registry
            if network.name != BRIDGE or self._default_is_used
            if (bridge := network.as_bridge()) is not None
        ]

    async def _forget(self, network: NetworkRecord) -> None:
        self._registry.remove(network.identifier)
        await self._state.delete(NETWORK_KIND, network.identifier)

    def _tell(self, action: str, network: NetworkRecord, container: str = "") -> None:
        attributes = {"name": network.name, "type": network.driver}
        if container:
            attributes["container"] = container
        self._events.publish("network", action, network.identifier, attributes)

    def networks(self) -> list[NetworkDetail]:
        """All of them, the predefined ones first."""
        return [self._detail(network) for network in self._registry]

    def inspect(self, reference: str) -> NetworkDetail:
        """As the contract says."""
        return self._detail(self._registry.find(reference))

    def _detail(self, network: NetworkRecord) -> NetworkDetail:
        members = self._sandboxes.members(network.identifier)
        return network.detail(
            {
                container: _connected(identity, endpoint)
                for container, (identity, endpoint) in members.items()
            }
        )

    async def remove(self, reference: str) -> None:
        """As the contract says."""
        async with self._defining:
            network = self._registry.find(reference)
            if network.name in PREDEFINED:
                raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
            members = self._sandboxes.members(network.identifier)
            if members:
                listed = ", ".join(
                    f'name:"{identity.name}" id:"{endpoint.settings.endpoint_identifier[:12]}"'
                    for identity, endpoint in members.values()
                )
                raise Forbidden(
                    f"error while removing network: network {network.name} has active endpoints "
                    f"({listed})"
                )
            await self._remove(network)

    async def _remove(self, network: NetworkRecord) -> None:
        """The device first: whoever dies in between finds the record and removes it again."""
        self._registry.remove(network.identifier)
        try:
            await self._set_bridges()
            if network.parent is not None:
                await self._bridges.remove_parent(network.parent.parent)
        except (EngineError, OSError):
            self._registry.add(network)
            raise
        await self._state.delete(NETWORK_KIND, network.identifier)
        self._tell("destroy", network)

    async def prune(self, wanted: Callable[[NetworkDetail], bool]) -> list[str]:
        """As the contract says."""
        removed = []
        async with self._defining:
            for network in list(self._registry):
                detail = self._detail(network)
                if network.name in PREDEFINED or detail.containers or not wanted(detail):
                    continue
                await self._remove(network)
                removed.append(network.name)
        self._events.publish("network", "prune", "", {"reclaimed": "0"})
        return removed

    # Containers

    async def attach(self, request: AttachmentRequest) -> Sandbox:
        """As the contract says."""
        container = request.identity.identifier
        await self.release(container)
        wishes = endpoint_wishes(request, self._registry.find)
        if any(wish.network.name == BRIDGE for wish in wishes):
            await self._use_default()
        await self._sandboxes.open(request, wishes)
        live = self._sandboxes.get(container)
        shown = self._sandboxes.shown(container)
        if live is None or shown is None:
            raise EngineError(f"the network of {request.identity.name} was taken away meanwhile")
        self._tell_of_endpoints("connect", live.record)
        return shown

    async def _use_default(self) -> None:
        if not self._default_is_used:
            async with self._defining:
                self._default_is_used = True
                await self._set_bridges()

    def _tell_of_endpoints(self, action: str, record: SandboxRecord) -> None:
        container = record.identity.identifier
        names = [endpoint.network for endpoint in record.endpoints]
        names += [settings.network_identifier for settings in record.plain_endpoints.values()]
        for identifier in names:
            network = self._registry.get(identifier)
            if network is not None:
                self._tell(action, network, container)

    def sandbox(self, container: str) -> Sandbox | None:
        """As the contract says."""
        return self._sandboxes.shown(container)

    async def release(self, container: str) -> None:
        """As the contract says."""
        record = await self._sandboxes.close(container)
        if record is not None:
            self._tell_of_endpoints("disconnect", record)

    async def connect(
        self, reference: str, container: ContainerIdentity, settings: EndpointSettings
    ) -> EndpointSettings:
        """As the contract says."""
        network = self._registry.find(reference)
        live = self._connectable(container.identifier, network)
        if live.record.endpoint(network.identifier) is not None:
            raise Forbidden(
                f"endpoint with name {container.name} already exists in network {network.name}"
            )
        if network.name == BRIDGE:
            await self._use_default()
        settled = await self._sandboxes.connect(live, network, settings)
        self._tell("connect", network, container.identifier)
        return settled

    def _connectable(self, container: str, network: NetworkRecord) -> LiveSandbox:
        """The sandbox, if it may be on networks at all (Forbidden)."""
        live = self._sandboxes.get(container)
        if live is None:
            raise Forbidden(f"container {container} is not running")
        if live.record.shares:
            raise Forbidden(
                "container sharing network namespace with another container or host cannot be "
                "connected to any other network"
            )
        if HOST in (network.name, live.record.request.mode):
            raise Forbidden(
                "container cannot be disconnected from host network or connected to host network"
            )
        if NONE in (network.name, live.record.request.mode):
            raise Forbidden(
                "container cannot be connected to multiple networks with one of the networks in "
                "private (none) mode"
            )
        return live

    async def disconnect(self, reference: str, container: str, *, force: bool = False) -> None:
        """As the contract says."""
        network = self._registry.find(reference)
        live = self._sandboxes.get(container)
        endpoint = live.record.endpoint(network.identifier) if live is not None else None
        if live is None or endpoint is None:
            if force:
                return
            if network.name == HOST:
                raise Forbidden("container cannot be disconnected from host network")
            raise Forbidden(f"container {container} is not connected to network {network.name}")
        await self._sandboxes.disconnect(live, endpoint)
        self._tell("disconnect", network, container)

    async def rename(self, container: str, name: str) -> None:
        """As the contract says."""
        self._sandboxes.rename(container, name)

    async def restore(self, running: Collection[str]) -> None:
        """As the contract says."""
        records = self._sandboxes.recorded()
        kept = [record for record in records if record.identity.identifier in running]
        for record in records:
            if record not in kept:
                self._sandboxes.forget(record)
        self._default_is_used = any(
            endpoint.network_name == BRIDGE for record in kept for endpoint in record.endpoints
        )
        try:
            await self._bridges.start(self._wanted_bridges())
        except (OSError, NftablesError) as problem:
            _log.error("the kernel refused a bridge, containers have no network: %s", problem)
            return
        for record in kept:
            try:
                await self._sandboxes.adopt(record)
            except (OSError, NftablesError) as problem:
                _log.error("the network of %s is lost: %s", record.identity.name, problem)
        await self._sandboxes.remove_others()

    async def close(self) -> None:
        """As the contract says."""
        self._sandboxes.suspend()
        await self._bridges.close()


def _connected(identity: ContainerIdentity, endpoint: PlacedEndpoint) -> ConnectedContainer:
    settings = endpoint.settings
    own, own6 = settings.ip_address, settings.global_ipv6_address
    return ConnectedContainer(
        name=identity.name,
        endpoint_identifier=settings.endpoint_identifier,
        mac_address=settings.mac_address,
        ipv4_address=f"{own}/{settings.ip_prefix_length}" if own else "",
        ipv6_address=f"{own6}/{settings.global_ipv6_prefix_length}" if own6 else "",
    )
