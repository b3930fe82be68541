"""Evicts the pods that do not tolerate what their node is tainted with (effect NoExecute).

A pod without a matching toleration goes at once; one with `tolerationSeconds` when that time is
over, counted from when the taint was seen here, by a clock that does not jump.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import (
    Circumstances,
    Controller,
    Watch,
    keys_of_self,
)
from sampan.control.controllers.views import Node, Pod, Taint, Toleration
from sampan.kubernetes.kinds.resource import PODS
from sampan.kubernetes.machinery.taints import tolerates

ACCOUNT = "node-controller"
COMPONENT = "taint-eviction-controller"
_EFFECT = "NoExecute"


class Snapshot(msgspec.Struct, frozen=True):
    """`ages` are how many seconds ago each taint was first seen."""

    node: Node
    pods: tuple[Pod, ...]
    ages: dict[Taint, float]


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Delete whose time is over, and come back when the next one's is."""
    actions: list[plans.Action] = []
    waits: list[float] = []
    for pod in snapshot.pods:
        if pod.metadata.deletion_timestamp is not None:
            continue
        left = seconds_left(pod.spec.tolerations, snapshot.ages)
        if left is None:
            continue
        if left <= 0:
            actions.append(_eviction(pod))
        else:
            waits.append(left)
    return plans.Plan(actions=tuple(actions), again_after=min(waits, default=None))


def seconds_left(tolerations: tuple[Toleration, ...], ages: dict[Taint, float]) -> float | None:
    """How long a pod may stay, None for ever."""
    times: list[float] = []
    for taint, age in ages.items():
        matching = [each for each in tolerations if tolerates(each, taint)]
        if not matching:
            return 0.0
        limits = [each.toleration_seconds for each in matching]
        times.extend(max(limit, 0) - age for limit in limits if limit is not None)
    return min(times, default=None)


def _eviction(pod: Pod) -> plans.Delete:
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    return plans.Delete(
        resource=PODS,
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        success=plans.Report(
            plans.reference(PODS, pod.metadata),
            "Normal",
            "TaintManagerEviction",
            f"Marking for deletion Pod {name}",
        ),
    )


class TaintAges:
    """Since when each node's evicting taints have been seen here."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[str, dict[Taint, float]] = {}

    def attach(self, caches: Caches) -> None:
        """Follow the cache of nodes; to be called before it is filled."""
        caches.nodes.listen(self._node_changed)

    def of(self, node: str) -> dict[Taint, float]:
        """The age of each evicting taint of a node."""
        now = self._monotonic()
        return {taint: now - seen for taint, seen in self._seen.get(node, {}).items()}

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        name = (new or old).metadata.name  # type: ignore[union-attr]
        taints = new.spec.taints if new is not None else ()
        before = self._seen.pop(name, {})
        present = {
            taint: before.get(taint, self._monotonic())
            for taint in taints
            if taint.effect == _EFFECT
        }
        if present:
            self._seen[name] = present


def controller(ages: TaintAges) -> Controller[Snapshot]:
    """`ages` must follow the same caches."""

    def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
        node = caches.nodes.get(key)
        present = ages.of(key)
        if node is None or not present:
            return None
        return Snapshot(node, caches.pods.indexed("node", key), present)

    return Controller(
        account=ACCOUNT,
        component=COMPONENT,
        watches=(
            Watch(lambda caches: caches.nodes, keys_of_self),
            Watch(lambda caches: caches.pods, _keys_of_pod),
        ),
        observe=observe,
        plan=plan,
    )


def _keys_of_pod(caches: Caches, old: Pod | None, new: Pod | None) -> tuple[str, ...]:
    """A pod that appears on a tainted node."""
    if new is None or not new.spec.node_name:
        return ()
    is_new_there = old is None or old.spec.node_name != new.spec.node_name
    node = caches.nodes.get(new.spec.node_name)
    tainted = node is not None and any(taint.effect == _EFFECT for taint in node.spec.taints)
    return (new.spec.node_name,) if is_new_there and tainted else ()
