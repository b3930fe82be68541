"""The agent of one node: registers it, runs its pods, keeps its packet rules and names.

Here the parts of the room are put together and their tasks begin; each decision lives in a
module of its own. The agent may be killed at any moment: the next one finds containers,
networks and volumes as they are. See docs/flow-pod.md.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path

import msgspec

from sampan.engine.contract import Engine
from sampan.engine.log_rotation import keep_logs_small
from sampan.foundation.pki.contexts import KeyPairPaths, server_context
from sampan.foundation.wire.http_server import Server, serve
from sampan.host.nftables import NftablesError
from sampan.kubernetes.client.contract import Client
from sampan.kubernetes.client.events import EventRecorder, reference_to
from sampan.kubernetes.client.informer import Informer
from sampan.kubernetes.kinds.resource import ENDPOINT_SLICES, NODES, PODS, SERVICES
from sampan.network.contract import NameServer, NodeNetwork, PodNetwork, ServiceRules
from sampan.node import node_object
from sampan.node.cluster_dns import ClusterDns
from sampan.node.cluster_view import EndpointSlice, Node, Service
from sampan.node.kubelet_api import KubeletApi
from sampan.node.node_object import Readiness
from sampan.node.node_services import EventKind, NodeServices, PodGroups
from sampan.node.objects import ReferencedObjects
from sampan.node.orphans import remove_orphans
from sampan.node.peers import peers
from sampan.node.pod_manager import PodManager
from sampan.node.pod_view import Pod
from sampan.node.registration import Registration
from sampan.node.routing import EndpointRouting
from sampan.node.service_index import ServiceIndex
from sampan.node.service_proxy import ServiceProxy
from sampan.node.settings import AgentSettings
from sampan.node.volumes.memory_folder import keep_in_memory

DRAIN_SECONDS = 1.0
MEMORY_SHARE = 8
PEERS_RETRY_SECONDS = 0.5

_log = logging.getLogger("sampan.node")


class NetworkParts(msgspec.Struct, frozen=True):
    """The three mechanisms of the node's network; none has been started yet."""

    pods: PodNetwork
    rules: ServiceRules
    names: NameServer


NetworkFactory = Callable[[NodeNetwork], NetworkParts]


class _Informers:
    """What the agent watches of the cluster."""

    def __init__(self, client: Client, node_name: str) -> None:
        self.pods = Informer(client, PODS, Pod, field_selector=f"spec.nodeName={node_name}")
        self.services = Informer(client, SERVICES, Service)
        self.slices = Informer(client, ENDPOINT_SLICES, EndpointSlice)
        self.nodes = Informer(client, NODES, Node)
        self._all = (self.pods, self.services, self.slices, self.nodes)

    def start(self) -> None:
        for informer in self._all:
            informer.start()

    async def synced(self) -> None:
        for informer in self._all:
            await informer.synced.wait()

    async def close(self) -> None:
        await asyncio.gather(*(informer.close() for informer in self._all))


async def run_agent(
    settings: AgentSettings,
    *,
    client: Client,
    engine: Engine,
    networks: NetworkFactory,
    groups: PodGroups,
    stop: asyncio.Event,
    clock: Callable[[], float] = time.time,
    prepare_memory: Callable[[Path, int], None] = keep_in_memory,
) -> None:
    """Run the node until `stop` is set; containers, networks and rules stay as they are.

    `client` has the node's own identity; `networks` makes the network's parts once the node's
    range of pods is known; `prepare_memory` gives the folder of that many bytes in memory.
    Raises OSError when the node's API can't listen.
    """
    prepare_memory(settings.memory_folder, settings.memory // MEMORY_SHARE)
    agent = _Agent(settings, client, engine, groups, clock)
    work = asyncio.create_task(agent.run(networks))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        for task in (work, stopped):
            task.cancel()
        await asyncio.gather(work, stopped, return_exceptions=True)
        await agent.close()


class _Agent:
    def __init__(
        self,
        settings: AgentSettings,
        client: Client,
        engine: Engine,
        groups: PodGroups,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._client = client
        self._engine = engine
        self._groups = groups
        self._clock = clock
        self._informers = _Informers(client, settings.node_name)
        self._registration = Registration(client, settings, clock)
        self._recorder = EventRecorder(
            client, "kubelet", lambda: datetime.fromtimestamp(clock(), UTC), settings.node_name
        )
        self._objects = ReferencedObjects(client, settings.node_name)
        self._routing = EndpointRouting(clock)
        self._range: asyncio.Future[IPv4Network] = asyncio.get_running_loop().create_future()
        self._nodes_changed = asyncio.Event()
        self._parts: NetworkParts | None = None
        self._pods: PodManager | None = None
        self._server: Server | None = None

    async def run(self, networks: NetworkFactory) -> None:
        """Every task of the agent; one that fails ends them all, and the agent is started anew."""
        self._informers.slices.on_change(self._routing.slice_changed)
        self._informers.nodes.on_change(self._node_changed)
        self._informers.start()
        async with asyncio.TaskGroup() as tasks:
            await self._registration.register()
            tasks.create_task(self._registration.keep_lease())
            tasks.create_task(self._registration.keep_status())
            network = node_network(self._settings, await self._range)
            parts = self._parts = networks(network)
            await asyncio.gather(parts.pods.start(), parts.names.start())
            await self._informers.synced()
            tasks.create_task(self._keep_peers(parts.pods))
            proxy = self._service_proxy(parts.rules, network)
            tasks.create_task(proxy.run())
            tasks.create_task(self._cluster_dns(parts.names).run())
            services = self._node_services(parts.pods, proxy)
            pods = self._pods = PodManager(services)
            await pods.start()
            self._informers.pods.on_change(pods.pod_changed)
            self._server = await self._serve(pods)
            tasks.create_task(keep_logs_small(self._engine, self._settings.logs))
            tasks.create_task(remove_orphans(services, pods.has))
            self._registration.set_readiness(Readiness(True))

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        self._nodes_changed.set()
        item = new or old
        if item is None or item.metadata.name != self._settings.node_name:
            return
        self._registration.node_changed(new)
        if new and new.spec.pod_cidr and not self._range.done():
            self._range.set_result(IPv4Network(new.spec.pod_cidr))

    async def _keep_peers(self, network: PodNetwork) -> None:
        """Tell the network of every node that comes, changes or goes."""
        while True:
            self._nodes_changed.clear()
            nodes = self._informers.nodes.items.values()
            try:
                await network.set_peers(peers(nodes, self._settings.node_name))
            except (OSError, NftablesError) as error:
                _log.error("routes to the other nodes were not set: %s", error)
                await asyncio.sleep(PEERS_RETRY_SECONDS)
            else:
                await self._nodes_changed.wait()

    def _service_proxy(self, rules: ServiceRules, network: NodeNetwork) -> ServiceProxy:
        return ServiceProxy(
            ServiceIndex(self._informers.services, self._informers.slices),
            rules,
            node_name=self._settings.node_name,
            name_server=network.gateway,
            check_seconds=self._settings.rules_check_seconds,
        )

    def _cluster_dns(self, names: NameServer) -> ClusterDns:
        index = ServiceIndex(self._informers.services, self._informers.slices)
        return ClusterDns(index, names, domain=self._settings.instance.cluster_domain)

    def _node_services(self, network: PodNetwork, proxy: ServiceProxy) -> NodeServices:
        return NodeServices(
            settings=self._settings,
            engine=self._engine,
            network=network,
            client=self._client,
            objects=self._objects,
            routing=self._routing,
            groups=self._groups,
            clock=self._clock,
            record=self._record,
            services=lambda: tuple(self._informers.services.items.values()),
            allocatable=node_object.allocatable(self._settings),
            publish_ports=proxy.set_host_ports,
        )

    def _record(self, pod: Pod, kind: EventKind, reason: str, message: str) -> None:
        self._recorder.record(reference_to(PODS, pod.metadata), kind, reason, message)

    async def _serve(self, pods: PodManager) -> Server:
        settings = self._settings
        pair = KeyPairPaths(settings.serving_certificate_file, settings.serving_key_file)
        return await serve(
            KubeletApi(settings, self._engine, pods).handle,
            addresses=[str(settings.node_address)],
            port=settings.instance.kubelet_port,
            context=server_context(pair, settings.authority_file, require_client=True),
        )

    async def close(self) -> None:
        """Let go of everything; what runs on the node runs on."""
        if self._server:
            await self._server.close(DRAIN_SECONDS)
        if self._pods:
            await self._pods.close()
        if self._parts:
            await self._parts.names.stop()
            await self._parts.pods.close()
        await self._recorder.close()
        await self._objects.close()
        await self._informers.close()


def node_network(settings: AgentSettings, pod_subnet: IPv4Network) -> NodeNetwork:
    """The facts of this node's network, once its range of pods is known."""
    instance = settings.instance
    is_machine = settings.node_number == node_object.CONTROL_PLANE_NODE
    return NodeNetwork(
        bridge=instance.interface("pods"),
        overlay_device=instance.interface("vxlan"),
        overlay_identifier=instance.overlay_identifier,
        node_device=settings.node_device,
        node_address=settings.node_address,
        pod_subnet=pod_subnet,
        pod_range=instance.pod_range,
        service_range=instance.service_range,
        node_range=instance.node_range,
        loopback_address=instance.loopback_address if is_machine else None,
        packet_table=instance.packet_table,
        namespace_folder=settings.run_folder / "netns",
        state_file=settings.state_folder / "network.json",
    )
