"""What must hold in a cluster at every moment, whatever fails. Pure.

The watchman is shown the whole state, again and again, and each Deployment's pods after every
change of one of them; he remembers what he needs, and says which promise was broken.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from sampan.control.controllers.deployment_scaling import limits
from sampan.control.controllers.template_hash import template_hash
from sampan.control.controllers.views import (
    Deployment,
    EndpointSlice,
    Pod,
    ReplicaSet,
)
from sampan.control.scheduler import views as scheduling
from sampan.control.scheduler.requirements import RESOURCES, node_amounts, pod_amounts

WITHDRAWAL_SECONDS = 3.0


class Broken(AssertionError):
    """A promise was broken."""


class State(msgspec.Struct, frozen=True):
    """All that is looked at, at one moment. `running` gives for each node the uids that run."""

    time: float
    deployments: tuple[Deployment, ...]
    replica_sets: tuple[ReplicaSet, ...]
    pods: tuple[Pod, ...]
    scheduled: tuple[scheduling.Pod, ...]
    nodes: tuple[scheduling.Node, ...]
    slices: tuple[EndpointSlice, ...]
    running: dict[str, frozenset[str]]


class Watchman:
    """`faultless` adds the promises that only hold while nothing fails."""

    def __init__(self) -> None:
        self.faultless = False
        self._nodes: dict[str, str] = {}
        self._ceilings: dict[str, int] = {}
        self._reached: set[str] = set()
        self._unready_since: dict[str, float] = {}

    def look(self, state: State) -> None:
        """Raises Broken."""
        self._bound_once(state)
        self._not_overcommitted(state)
        self._no_twins(state)
        self._run_once(state)
        self._withdrawn(state)

    def _bound_once(self, state: State) -> None:
        for pod in state.pods:
            if not pod.spec.node_name:
                continue
            before = self._nodes.setdefault(pod.metadata.uid, pod.spec.node_name)
            if before != pod.spec.node_name:
                raise Broken(f"{pod.metadata.name} moved from {before} to {pod.spec.node_name}")

    def _not_overcommitted(self, state: State) -> None:
        taken: dict[str, list[int]] = defaultdict(lambda: [0] * len(RESOURCES))
        for pod in state.scheduled:
            if pod.spec.node_name and not pod.is_finished:
                total = taken[pod.spec.node_name]
                for index, amount in enumerate(pod_amounts(pod.spec)):
                    total[index] += amount
        for node in state.nodes:
            name = node.metadata.name
            allocatable = node_amounts(node)
            for index, resource in enumerate(RESOURCES):
                if any(allocatable) and taken[name][index] > allocatable[index]:
                    raise Broken(f"{name} has promised more {resource} than it has")

    def _no_twins(self, state: State) -> None:
        seen: dict[tuple[str, str], str] = {}
        for each in state.replica_sets:
            owner = each.metadata.controller
            if owner is None:
                continue
            key = (owner.uid, template_hash(each.spec.template))
            other = seen.setdefault(key, each.metadata.name)
            if other != each.metadata.name:
                raise Broken(f"{each.metadata.name} and {other} are of the same template")

    def _run_once(self, state: State) -> None:
        times = Counter(uid for uids in state.running.values() for uid in uids)
        for uid, number in times.items():
            if number > 1:
                raise Broken(f"the pod {uid} runs {number} times")

    def count(self, deployment: Deployment, pods: list[Pod], settled: int | None) -> None:
        """Look at one Deployment's active pods, and at how many its ReplicaSets have settled on,
        None while they have not. Raises Broken."""
        self._not_too_many(deployment, len(pods), settled)
        self._not_too_few(deployment, pods)

    def _not_too_many(self, deployment: Deployment, active: int, settled: int | None) -> None:
        """A Deployment that was made smaller may be over its bound until its ReplicaSets have
        settled on fewer pods, and have no more."""
        uid = deployment.metadata.uid
        most = deployment.spec.replicas + limits(deployment).surge
        ceiling = max(self._ceilings.get(uid, 0), most)
        if active > ceiling:
            raise Broken(f"{deployment.metadata.name} has {active} pods of at most {ceiling}")
        shrunk = settled is not None and max(active, settled) <= most
        self._ceilings[uid] = most if shrunk else ceiling

    def _not_too_few(self, deployment: Deployment, pods: list[Pod]) -> None:
        """Once it has been available, a Deployment stays so, as long as nothing fails."""
        replicas = deployment.spec.replicas
        key = f"{deployment.metadata.uid}/{replicas}"
        ready = sum(pod.is_ready for pod in pods)
        least = replicas - limits(deployment).unavailable
        if ready >= least:
            self._reached.add(key)
        elif self.faultless and key in self._reached:
            raise Broken(f"{deployment.metadata.name} has {ready} ready pods of at least {least}")

    def _withdrawn(self, state: State) -> None:
        """A pod that is not ready, or gone, is soon no ready endpoint any more."""
        ready = {pod.metadata.uid for pod in state.pods if pod.is_ready and pod.is_active}
        endpoints = set(_ready_endpoints(state.slices))
        for uid in ready | (self._unready_since.keys() - endpoints):
            self._unready_since.pop(uid, None)
        for uid in endpoints - ready:
            since = self._unready_since.setdefault(uid, state.time)
            if state.time - since > WITHDRAWAL_SECONDS:
                raise Broken(f"the endpoint of {uid} was not withdrawn")


def _ready_endpoints(slices: Iterable[EndpointSlice]) -> Iterable[str]:
    for each in slices:
        for endpoint in each.endpoints or ():
            if endpoint.conditions.ready and endpoint.target_ref is not None:
                yield endpoint.target_ref.uid
