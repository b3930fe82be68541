"""The sandboxes of running containers: made, changed, taken up again and taken away.

The record is written first, then the kernel is asked; a failure takes everything back. Addresses
are reserved by the mere presence of a sandbox in memory, so planning never waits.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable

import msgspec

from sampan.engine.containers.configuration import EndpointSettings
from sampan.engine.contract import Conflict, EngineError
from sampan.engine.networks.address_plan import Address
from sampan.engine.networks.contract import (
    BRIDGE,
    HOST,
    NONE,
    AttachmentRequest,
    ContainerIdentity,
    Sandbox,
)
from sampan.engine.networks.endpoint_plan import (
    EndpointWish,
    Identifiers,
    placed_endpoint,
    used_addresses,
)
from sampan.engine.networks.live_sandbox import LiveSandbox
from sampan.engine.networks.record import NetworkRecord
from sampan.engine.networks.registry import NetworkRegistry
from sampan.engine.networks.sandbox_files import HOSTNAME, HOSTS, RESOLVER, SandboxFiles
from sampan.engine.networks.sandbox_names import SandboxNames
from sampan.engine.networks.sandbox_ports import SandboxPorts
from sampan.engine.networks.sandbox_record import PlacedEndpoint, SandboxFolder, SandboxRecord
from sampan.engine.networks.settings import NetworkSettings
from sampan.host.nftables import NftablesError
from sampan.network.bridges.bridges import Bridges

_DEVICE_DIGITS = 7
_HOST_NAMESPACE = "host"
_log = logging.getLogger(__name__)
Identifier = Callable[[], str]


class Sandboxes:
    """Those of one engine, by their containers' identifiers."""

    def __init__(
        self,
        settings: NetworkSettings,
        registry: NetworkRegistry,
        bridges: Bridges,
        *,
        new_identifier: Identifier = lambda: secrets.token_hex(32),
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._bridges = bridges
        self._new_identifier = new_identifier
        self._folder = SandboxFolder(settings.sandbox_folder)
        self._files = SandboxFiles(self._folder)
        self._names = SandboxNames()
        self._ports = SandboxPorts(settings, registry)
        self._live: dict[str, LiveSandbox] = {}

    def get(self, container: str) -> LiveSandbox | None:
        return self._live.get(container)

    def members(self, network: str) -> dict[str, tuple[ContainerIdentity, PlacedEndpoint]]:
        """Who is on a network, by container."""
        return {
            container: (live.record.identity, endpoint)
            for container, live in self._live.items()
            if (endpoint := live.record.endpoint(network)) is not None
        }

    def _used(self, network: str) -> set[Address]:
        return used_addresses([endpoint for _, endpoint in self.members(network).values()])

    # Making one

    async def open(self, request: AttachmentRequest, wishes: Iterable[EndpointWish]) -> None:
        """Make a container's sandbox. Raises what the contract's `attach` does."""
        container = request.identity.identifier
        record = self._planned(request, wishes)
        if record.shares and record.shares not in self._live:
            raise Conflict(f"cannot join network of a non running container: {record.shares}")
        live = LiveSandbox(record)
        self._live[container] = live
        try:
            self._ports.hold(live)
            self._folder.save(live.record)
            self._files.write(live.record, self._linked(request))
            await self._open_in_kernel(live)
        except BaseException as problem:
            await self.close(container)
            if isinstance(problem, (OSError, NftablesError)):
                name = request.identity.name
                raise EngineError(f"failed to set up the network of {name}: {problem}") from problem
            raise

    def _planned(self, request: AttachmentRequest, wishes: Iterable[EndpointWish]) -> SandboxRecord:
        endpoints: list[PlacedEndpoint] = []
        for wish in wishes:
            endpoints.append(self._placed(wish, request.identity, endpoints))
        record = SandboxRecord(request=request, endpoints=tuple(endpoints))
        if record.shares:
            return record
        plain = {}
        if request.mode in (HOST, NONE):
            network = self._registry.find(request.mode)
            plain[network.name] = EndpointSettings(
                network_identifier=network.identifier, endpoint_identifier=self._new_identifier()
            )
        record = msgspec.structs.replace(record, plain_endpoints=plain)
        return msgspec.structs.replace(record, wishes=self._ports.wishes(record))

    def _placed(
        self, wish: EndpointWish, identity: ContainerIdentity, others: Iterable[PlacedEndpoint]
    ) -> PlacedEndpoint:
        prefix = self._settings.bridges.port_prefix
        identifiers = Identifiers(
            endpoint=self._new_identifier(),
            device=prefix + self._new_identifier()[:_DEVICE_DIGITS],
        )
        return placed_endpoint(
            wish,
            identity,
            identifiers,
            used=self._used(wish.network.identifier),
            taken_interfaces={other.interface for other in others},
        )

    def _linked(self, request: AttachmentRequest) -> list[tuple[str, str]]:
        """The addresses and names of the containers that this one is linked to.

        Links in the file of hosts are the default bridge's; elsewhere they are other names.
        """
        if request.mode != BRIDGE:
            return []
        lines = []
        for link in request.links:
            other = self._live.get(link.identifier)
            if other is None:
                raise Conflict(f"Cannot link to a non running container: {link.alias}")
            names = (link.alias, other.record.identity.hostname, other.record.identity.name)
            for endpoint in other.record.endpoints:
                addresses = endpoint.addresses()
                lines += [(each, " ".join(dict.fromkeys(names))) for each in addresses]
        return lines

    async def _open_in_kernel(self, live: LiveSandbox) -> None:
        record = live.record
        if record.shares or record.request.mode == HOST:
            return
        live.namespace = await self._bridges.open_namespace(live.wiring())
        live.record = msgspec.structs.replace(record, namespace=live.namespace.identifier)
        self._folder.save(live.record)
        await self._ports.relay(live.record)
        await self._start_names(live)

    async def _start_names(self, live: LiveSandbox) -> None:
        await self._names.start(live)
        for endpoint in live.record.endpoints:
            self._names.join(live, endpoint, self._registry.get(endpoint.network))

    # Showing one

    def shown(self, container: str) -> Sandbox | None:
        """As the contract's `sandbox` has it."""
        live = self._live.get(container)
        if live is None:
            return None
        record = live.record
        shared = self._live.get(record.shares) if record.shares else None
        owner = shared or live
        identifier = owner.record.identity.identifier
        return Sandbox(
            identifier=owner.record.namespace or identifier,
            namespace=self._namespace(owner),
            endpoints={
                **record.plain_endpoints,
                **{endpoint.network_name: endpoint.settings for endpoint in record.endpoints},
            },
            ports={} if record.shares else record.shown_ports(),
            hosts_path=str(self._folder.path(identifier, HOSTS)),
            resolver_path=str(self._folder.path(identifier, RESOLVER)),
            hostname_path=str(self._folder.path(identifier, HOSTNAME)),
        )

    def _namespace(self, live: LiveSandbox) -> str:
        if live.record.request.mode == HOST:
            return _HOST_NAMESPACE
        return "" if live.namespace is None else str(live.namespace.path)

    # Changing one

    async def connect(
        self, live: LiveSandbox, network: NetworkRecord, settings: EndpointSettings
    ) -> EndpointSettings:
        """Plug a running container into one more network. Raises what planning raises."""
        before = live.record
        request = before.request
        wish = EndpointWish(
            network=network, settings=settings, rate_in=request.rate_in, rate_out=request.rate_out
        )
        endpoint = self._placed(wish, before.identity, before.endpoints)
        live.record = msgspec.structs.replace(before, endpoints=(*before.endpoints, endpoint))
        try:
            self._ports.settle(live, before)
            self._folder.save(live.record)
            await self._bridges.connect(before.namespace, endpoint.as_port(), live.wiring())
            await self._ports.relay(live.record)
        except (OSError, NftablesError, EngineError) as problem:
            if not before.host_ports:
                self._ports.release(before.identity.identifier)
            live.record = before
            self._folder.save(before)
            if isinstance(problem, EngineError):
                raise
            raise EngineError(f"failed to connect to {network.name}: {problem}") from problem
        self._names.join(live, endpoint, network)
        self._files.add_endpoint(live.record, endpoint)
        return endpoint.settings

    async def disconnect(self, live: LiveSandbox, endpoint: PlacedEndpoint) -> None:
        """Unplug a running container (EngineError)."""
        left = tuple(each for each in live.record.endpoints if each is not endpoint)
        before = live.record
        live.record = msgspec.structs.replace(before, endpoints=left)
        self._ports.settle(live, before)
        self._folder.save(live.record)
        self._names.leave(live, endpoint)
        self._files.remove_endpoint(live.record, endpoint)
        try:
            port = endpoint.as_port()
            await self._bridges.disconnect(live.record.namespace, port, live.wiring())
            await self._ports.relay(live.record)
        except (OSError, NftablesError) as problem:
            raise EngineError(
                f"failed to disconnect from {endpoint.network_name}: {problem}"
            ) from problem

    def rename(self, container: str, name: str) -> None:
        """A container is known by another name; no error if it has no sandbox."""
        live = self._live.get(container)
        if live is None:
            return
        identity = msgspec.structs.replace(live.record.identity, name=name)
        request = msgspec.structs.replace(live.record.request, identity=identity)
        live.record = msgspec.structs.replace(live.record, request=request)
        self._folder.save(live.record)
        for endpoint in live.record.endpoints:
            self._names.join(live, endpoint, self._registry.get(endpoint.network))

    # Taking one away

    async def close(self, container: str) -> SandboxRecord | None:
        """Take a sandbox away; its record, or None if there was none (EngineError)."""
        live = self._live.pop(container, None)
        if live is None:
            return None
        self._ports.release(container)
        self._names.stop(live)
        try:
            if live.namespace is not None:
                identifier = live.namespace.identifier
                await self._bridges.close_namespace(identifier, live.wiring())
        except (OSError, NftablesError) as problem:
            raise EngineError(f"failed to take down a network: {problem}") from problem
        finally:
            await asyncio.to_thread(self._folder.remove, container)
        return live.record

    # Over a restart of the engine

    def recorded(self) -> list[SandboxRecord]:
        """What an earlier life left, as far as it can be read; the rest is removed."""
        found = []
        for container, record in list(self._folder.load()):
            if record is None:
                self._folder.remove(container)
            else:
                found.append(record)
        return found

    def forget(self, record: SandboxRecord) -> None:
        """Remove the record of a container that no longer runs."""
        self._folder.remove(record.identity.identifier)

    async def adopt(self, record: SandboxRecord) -> None:
        """Take up the sandbox of a container that runs; what cannot be had again is logged."""
        live = LiveSandbox(record)
        container = record.identity.identifier
        if record.namespace:
            live.namespace = await self._bridges.adopt_namespace(record.namespace, live.wiring())
            if live.namespace is None:
                self._folder.remove(container)
                return
        self._live[container] = live
        self._ports.hold_again(record)
        await self._ports.relay(record)
        if live.namespace is not None:
            await self._start_names(live)

    async def remove_others(self) -> None:
        """Take away namespaces that belong to no sandbox (OSError)."""
        kept = [live.record.namespace for live in self._live.values() if live.record.namespace]
        await self._bridges.remove_other_namespaces(kept)

    def suspend(self) -> None:
        """Let go of sockets; the sandboxes stay in the kernel and on disk."""
        for live in self._live.values():
            self._names.stop(live)
        self._ports.close()
