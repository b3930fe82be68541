"""A whole cluster on a virtual clock: the real API server, controllers and scheduler over a
store in memory, and simulated nodes, joined by wires that can fail.

Everything follows from one seed. The watchman looks at the whole state after every step of
time, and whatever he finds broken ends the run.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

import msgspec

from sampan.control.api.authentication.identities import AUTHENTICATED
from sampan.control.api.server import ApiServer, component_identity
from sampan.control.api.settings import settings_of
from sampan.control.controllers import views
from sampan.control.controllers.all import Controllers, run_controllers
from sampan.control.controllers.settings import ControllerSettings
from sampan.control.scheduler import views as scheduling
from sampan.control.scheduler.loop import USER as SCHEDULER
from sampan.control.scheduler.loop import Scheduler, run_scheduler
from sampan.foundation.pki.authority import Authority, generate_key
from sampan.foundation.pki.subjects import ADMINISTRATORS, NODE_PREFIX, NODES_GROUP
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.message import Identity, Transport
from sampan.kubernetes.client.api_client import ApiClient
from sampan.kubernetes.client.contract import Client, NotFound, Object
from sampan.kubernetes.kinds.resource import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    NODES,
    PODS,
    REPLICA_SETS,
    Resource,
)
from sampan.simulation.invariants import State, Watchman
from sampan.simulation.network import Network, Wire
from sampan.simulation.node import SimulatedNode
from sampan.simulation.tally import Tally
from sampan.store.memory import MemoryStore
from sampan.testing.virtual_clock import VirtualClockLoop, running_loop

STEP_SECONDS = 0.25
CONTROL = "control"

T = TypeVar("T")


class Unsettled(AssertionError):
    """What was waited for did not come about in time."""


class SimulatedCluster:
    """Made by `start`. `admin` is a client without faults, `store` what the server writes to."""

    def __init__(self, seed: int, nodes: int) -> None:
        self.random = Random(seed)  # noqa: S311 - chance that can be repeated is the point
        self.loop: VirtualClockLoop = running_loop()
        self.network = Network(Random(self.random.random()))  # noqa: S311
        self.watchman = Watchman()
        self.instance = Instance()
        self.store = MemoryStore()
        self._signer = TokenSigner(generate_key(), settings_of(self.instance).issuer)
        self._authority = Authority.create("the authority", self.loop.now())
        self._api: ApiServer | None = None
        self._tally: Tally | None = None
        self._controllers: Controllers | None = None
        self._scheduler: Scheduler | None = None
        self.nodes = {
            name: self._node(name) for name in (f"node-{number + 1}" for number in range(nodes))
        }

    def _node(self, name: str) -> SimulatedNode:
        identity = Identity(name=f"{NODE_PREFIX}{name}", groups=(NODES_GROUP, AUTHENTICATED))
        wire = Wire(self.network, name, lambda: self._transport(identity))
        return SimulatedNode(name, wire, self.loop.now, Random(self.random.random()))  # noqa: S311

    def _transport(self, identity: Identity) -> Transport:
        if self._api is None:
            raise ConnectionError("the server is down")
        return self._api.transport(identity)

    def client_for(self, user: str) -> Client:
        """A component's client, over the wires of the control plane."""
        identity = component_identity(user)
        return ApiClient(Wire(self.network, CONTROL, lambda: self._transport(identity)))

    def client_of(self, identity: Identity) -> Client:
        """A client of anybody, without faults."""
        return ApiClient(self._transport(identity))

    async def start(self) -> None:
        """Start the server and every node."""
        await self.start_server()
        for node in self.nodes.values():
            await node.start()

    async def start_server(self) -> None:
        """Start API, controllers and scheduler on what the store holds."""
        self._api = ApiServer.create(
            self.store,
            settings=settings_of(self.instance),
            signer=self._signer,
            clock=self.loop.now,
            random=Random(self.random.random()),  # noqa: S311
        )
        await self._api.start()
        admin = Identity(name="admin", groups=(ADMINISTRATORS, AUTHENTICATED))
        self.admin: Client = ApiClient(self._api.transport(admin))
        self._tally = Tally(self.admin, self.watchman.count)
        await self._tally.start()
        settings = ControllerSettings(
            pod_range=self.instance.pod_range,
            authority=self._authority,
            sign_token=self._signer.sign,
        )
        random = Random(self.random.random())  # noqa: S311
        self._controllers = await run_controllers(self.client_for, settings, self.loop.now, random)
        self._scheduler = await run_scheduler(self.client_for(SCHEDULER), self.loop.now, random)

    async def stop_server(self) -> None:
        """The server's process ends; what the store has stays."""
        if self._scheduler is not None:
            await self._scheduler.close()
        if self._controllers is not None:
            await self._controllers.close()
        for name in (CONTROL, *self.nodes):
            self.network.break_streams(name)
        if self._tally is not None:
            await self._tally.close()
        if self._api is not None:
            await self._api.close()
        self._api = None

    async def close(self) -> None:
        """End everything."""
        for node in self.nodes.values():
            await node.crash()
        await self.stop_server()

    async def read(self, resource: Resource, view: type[T]) -> tuple[T, ...]:
        """All objects of a resource, as they are now."""
        found = await self.admin.list(resource)
        return tuple(msgspec.json.decode(item, type=view) for item in found.items)

    async def find(self, resource: Resource, name: str, namespace: str = "default") -> Any:
        """One object as a tree, None when it is not there."""
        try:
            return msgspec.json.decode(await self.admin.get(resource, name, namespace))
        except NotFound:
            return None

    async def create(self, resource: Resource, body: Object) -> None:
        """Create an object as the administrator."""
        await self.admin.create(resource, body, body["metadata"].get("namespace", ""))

    async def state(self) -> State:
        """What the watchman looks at."""
        pods = await self.admin.list(PODS)
        return State(
            time=self.loop.time(),
            deployments=await self.read(DEPLOYMENTS, views.Deployment),
            replica_sets=await self.read(REPLICA_SETS, views.ReplicaSet),
            pods=tuple(msgspec.json.decode(item, type=views.Pod) for item in pods.items),
            scheduled=tuple(msgspec.json.decode(item, type=scheduling.Pod) for item in pods.items),
            nodes=await self.read(NODES, scheduling.Node),
            slices=await self.read(ENDPOINT_SLICES, views.EndpointSlice),
            running={name: frozenset(node.running) for name, node in self.nodes.items()},
        )

    async def step(self, seconds: float = STEP_SECONDS) -> State:
        """Let time pass, then have the watchman look."""
        await asyncio.sleep(seconds)
        state = await self.state()
        self.watchman.look(state)
        if self._tally is not None and self._tally.broken is not None:
            raise self._tally.broken
        return state

    async def watch_for(self, seconds: float) -> None:
        """Let time pass, step by step."""
        end = self.loop.time() + seconds
        while self.loop.time() < end:
            await self.step()

    async def until(self, holds: Callable[[State], bool], seconds: float, what: str) -> float:
        """Step until a state holds; the seconds that it took. Raises Unsettled."""
        start = self.loop.time()
        while True:
            state = await self.step()
            if holds(state):
                return self.loop.time() - start
            if self.loop.time() - start > seconds:
                raise Unsettled(f"{what}: not within {seconds} seconds; {_told(state)}")

    async def until_rolled_out(
        self, name: str = "web", seconds: float = 60.0, besides: tuple[str, ...] = ()
    ) -> float:
        """Step until a Deployment is what it is meant to be, on other nodes than `besides`."""
        return await self.until(
            lambda state: is_rolled_out(state, name, besides), seconds, f"{name} rolled out"
        )


def is_rolled_out(state: State, name: str, besides: tuple[str, ...] = ()) -> bool:
    """Whether a Deployment has all its pods, ready, of its present template and no others, and
    its ReplicaSets and endpoints say so."""
    deployment = next((each for each in state.deployments if each.metadata.name == name), None)
    if deployment is None or deployment.metadata.generation > deployment.status.observed_generation:
        return False
    wanted, status = deployment.spec.replicas, deployment.status
    numbers = (status.replicas, status.updated_replicas, status.available_replicas)
    if numbers != (wanted, wanted, wanted):
        return False
    owned = {
        each.metadata.uid
        for each in state.replica_sets
        if each.metadata.controller and each.metadata.controller.uid == deployment.metadata.uid
    }
    pods = [
        pod
        for pod in state.pods
        if pod.metadata.controller and pod.metadata.controller.uid in owned
    ]
    active = [pod for pod in pods if pod.is_active and pod.is_ready]
    return len(active) == wanted and not any(pod.spec.node_name in besides for pod in active)


def _told(state: State) -> str:
    pods = [
        f"{pod.metadata.name}@{pod.spec.node_name or '-'} {pod.status.phase}"
        f"{' ready' if pod.is_ready else ''}{'' if pod.is_active else ' ending'}"
        for pod in state.pods
    ]
    sets = [
        f"{each.metadata.name} {each.spec.replicas}/{each.status.replicas}"
        for each in state.replica_sets
    ]
    taints = [
        f"{node.metadata.name} {taint.key}:{taint.effect}"
        for node in state.nodes
        for taint in node.spec.taints
    ]
    return f"pods: {', '.join(pods)}; sets: {', '.join(sets)}; taints: {', '.join(taints)}"
