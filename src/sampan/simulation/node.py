"""A node without containers: a kubelet that keeps its word and takes its time.

It registers, renews its lease, starts the pods that are bound to it after a while, reports
them, and stops them when they are deleted. Its agent can crash (what runs goes on running), its
power can fail (nothing runs any more), its wire can be cut; and each of these can end.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Network
from random import Random
from typing import Any

import msgspec

from sampan.kubernetes.client.api_client import ApiClient
from sampan.kubernetes.client.contract import AlreadyExists, ApiError, NotFound
from sampan.kubernetes.client.informer import Informer
from sampan.kubernetes.client.queue import WorkQueue
from sampan.kubernetes.kinds.resource import LEASES, NODES, PODS
from sampan.kubernetes.machinery import timestamps
from sampan.kubernetes.machinery.metadata import Metadata
from sampan.kubernetes.machinery.standing_namespaces import NODE_LEASES
from sampan.simulation.network import Wire

LEASE_SECONDS = 1.0
SLOWEST_START_SECONDS = 0.6
SLOWEST_STOP_SECONDS = 1.0
_WORKERS = 8
_log = logging.getLogger("sampan.simulation")


class Condition(msgspec.Struct, frozen=True):
    type: str
    status: str


class NodeSpec(msgspec.Struct, frozen=True):
    pod_cidr: str = msgspec.field(default="", name="podCIDR")


class NodeStatus(msgspec.Struct, frozen=True):
    conditions: tuple[Condition, ...] = ()


class NodeView(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def is_ready(self) -> bool:
        return Condition("Ready", "True") in self.status.conditions


class PodStatus(msgspec.Struct, frozen=True):
    phase: str = "Pending"
    conditions: tuple[Condition, ...] = ()

    @property
    def is_ready(self) -> bool:
        return Condition("Ready", "True") in self.conditions


class PodView(msgspec.Struct, frozen=True):
    metadata: Metadata
    status: PodStatus = PodStatus()


class SimulatedNode:
    """`clock` is the wall clock, `random` decides how long things take. `running` gives the
    address of each pod that runs, by uid."""

    def __init__(
        self,
        name: str,
        wire: Wire,
        clock: Callable[[], datetime],
        random: Random,
        *,
        cpu: str = "4",
        memory: str = "8Gi",
    ) -> None:
        self.name = name
        self.running: dict[str, str] = {}
        self._client = ApiClient(wire, user_agent="kubelet")
        self._clock = clock
        self._random = random
        self._capacity = {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "50Gi"}
        self._addresses = 0
        self._reported = False
        self._tasks: list[asyncio.Task[None]] = []
        self._informers: list[Informer[Any]] = []
        self._queue: WorkQueue[str] = WorkQueue(longest_delay=2.0)

    @property
    def is_up(self) -> bool:
        """Whether its agent runs."""
        return bool(self._tasks)

    async def start(self) -> None:
        """Begin, or begin again: what still runs goes on."""
        self._queue = WorkQueue(longest_delay=2.0)
        self._reported = False
        own = f"metadata.name={self.name}"
        bound = f"spec.nodeName={self.name}"
        self._node = Informer(self._client, NODES, NodeView, field_selector=own)
        self._pods = Informer(self._client, PODS, PodView, field_selector=bound)
        self._informers = [self._node, self._pods]
        self._node.on_change(self._node_changed)
        self._pods.on_change(self._pod_changed)
        for informer in self._informers:
            informer.start()
        self._tasks = [asyncio.create_task(self._beat(), name=f"lease of {self.name}")]
        self._tasks += [
            asyncio.create_task(self._queue.work(self._settle), name=f"pods of {self.name}")
            for _ in range(_WORKERS)
        ]

    async def crash(self) -> None:
        """The agent dies; what runs goes on running."""
        self._queue.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for informer in self._informers:
            await informer.close()
        self._tasks, self._informers = [], []

    async def lose_power(self) -> None:
        """Everything on the node ends at once."""
        await self.crash()
        self.running.clear()

    def _node_changed(self, _old: NodeView | None, new: NodeView | None) -> None:
        if new is not None and new.spec.pod_cidr:
            for key in self._pods.items:
                self._queue.add(key)

    def _pod_changed(self, old: PodView | None, new: PodView | None) -> None:
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            self.running.pop(old.metadata.uid, None)
        if new is not None:
            self._queue.add(f"{new.metadata.namespace}/{new.metadata.name}")

    async def _beat(self) -> None:
        """Renew the lease each second, and tell the status when it is not known."""
        while True:
            try:
                known = self._node.items.get(self.name)
                if not self._reported or known is None or not known.is_ready:
                    await self._report()
                await self._renew()
            except (ApiError, ConnectionError) as error:
                self._reported = False
                _log.debug("%s: %s", self.name, error)
            await asyncio.sleep(LEASE_SECONDS)

    async def _renew(self) -> None:
        spec = {
            "holderIdentity": self.name,
            "leaseDurationSeconds": 40,
            "renewTime": timestamps.to_microseconds(self._clock()),
        }
        try:
            await self._client.patch(LEASES, self.name, {"spec": spec}, NODE_LEASES)
        except NotFound:
            metadata = {"name": self.name, "namespace": NODE_LEASES}
            await self._client.create(
                LEASES,
                {
                    "apiVersion": LEASES.group_version,
                    "kind": LEASES.kind,
                    "metadata": metadata,
                    "spec": spec,
                },
                NODE_LEASES,
            )

    async def _report(self) -> None:
        status = {
            "capacity": self._capacity,
            "allocatable": self._capacity,
            "conditions": [self._condition("Ready", "True", "KubeletReady")],
        }
        labels = {"kubernetes.io/hostname": self.name}
        body = {
            "apiVersion": NODES.group_version,
            "kind": NODES.kind,
            "metadata": {"name": self.name, "labels": labels},
        }
        try:
            await self._client.create(NODES, body)
        except AlreadyExists:
            _log.debug("%s is registered already", self.name)
        await self._client.patch(
            NODES, self.name, {"status": status}, kind="strategic", subresource="status"
        )
        self._reported = True

    def _condition(self, kind: str, status: str, reason: str) -> dict[str, str]:
        moment = timestamps.to_seconds(self._clock())
        return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": moment}

    async def _settle(self, key: str) -> None:
        try:
            await self._sync(key)
            self._queue.forget(key)
        except (ApiError, ConnectionError) as error:
            _log.debug("%s: %s: %s", self.name, key, error)
            self._queue.retry(key)

    async def _sync(self, key: str) -> None:
        pod = self._pods.items.get(key)
        node = self._node.items.get(self.name)
        if pod is None or node is None or not node.spec.pod_cidr:
            return
        uid = pod.metadata.uid
        if pod.metadata.deletion_timestamp is not None:
            await self._stop(pod)
        elif uid not in self.running:
            await asyncio.sleep(self._random.random() * SLOWEST_START_SECONDS)
            self.running[uid] = self._address(node.spec.pod_cidr)
            await self._tell(pod)
        elif not pod.status.is_ready:
            await self._tell(pod)

    async def _stop(self, pod: PodView) -> None:
        if pod.metadata.uid in self.running:
            await asyncio.sleep(self._random.random() * SLOWEST_STOP_SECONDS)
        self.running.pop(pod.metadata.uid, None)
        metadata = pod.metadata
        try:
            await self._client.delete(
                PODS, metadata.name, metadata.namespace, uid=metadata.uid, grace_seconds=0
            )
        except NotFound:
            _log.debug("%s is gone already", metadata.name)

    async def _tell(self, pod: PodView) -> None:
        """Report that a pod runs and is ready."""
        metadata = pod.metadata
        address = self.running[metadata.uid]
        conditions = [
            self._condition(kind, "True", "")
            for kind in ("Initialized", "ContainersReady", "Ready")
        ]
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": conditions,
        }
        try:
            await self._client.patch(
                PODS,
                metadata.name,
                {"metadata": {"uid": metadata.uid}, "status": status},
                metadata.namespace,
                kind="strategic",
                subresource="status",
            )
        except NotFound:
            _log.debug("%s was deleted before it was told", metadata.name)

    def _address(self, pod_range: str) -> str:
        self._addresses = self._addresses % 250 + 1
        return str(IPv4Network(pod_range)[self._addresses + 1])
