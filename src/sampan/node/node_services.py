"""What every pod worker of a node shares, as one frozen record."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from sampan.engine.contract import Engine
from sampan.host.cgroup_limits import ControlGroupLimits
from sampan.kubernetes.client.contract import Client
from sampan.network.contract import PodNetwork, ServicePort
from sampan.node.cluster_view import Service
from sampan.node.objects import ReferencedObjects
from sampan.node.pod_view import Pod
from sampan.node.routing import EndpointRouting
from sampan.node.settings import AgentSettings

EventKind = Literal["Normal", "Warning"]


class PodGroups(Protocol):
    """The control groups of pods; each call is short."""

    def create(self, name: str, limits: ControlGroupLimits | None = None) -> None: ...

    def remove(self, name: str) -> None: ...


class NodeServices(msgspec.Struct, frozen=True, kw_only=True):
    """`clock` gives seconds since the epoch; `record` tells an event of a pod: its type
    (Normal or Warning), reason and message. `publish_ports`
    makes ports of the node lead to a pod, by its uid. `aside` makes a call that may take long
    without holding the event loop."""

    settings: AgentSettings
    engine: Engine
    network: PodNetwork
    client: Client
    objects: ReferencedObjects
    routing: EndpointRouting
    groups: PodGroups
    clock: Callable[[], float]
    record: Callable[[Pod, EventKind, str, str], None]
    services: Callable[[], tuple[Service, ...]]
    allocatable: dict[str, Decimal]
    publish_ports: Callable[[str, dict[str, ServicePort]], None]
    aside: Callable[[Callable[[], None]], Awaitable[None]] = asyncio.to_thread
