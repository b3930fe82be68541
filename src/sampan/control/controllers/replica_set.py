"""Keeps as many pods of a template running as a ReplicaSet asks for.

Pods that are finished or being deleted do not count, so that a replacement is created at once.
Which pods belong to the set is decided by their controller reference; a pod without one that
the selector matches is adopted, one that it matches no longer is let go.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.claims import (
    adoptable,
    claims,
    is_controlled_by,
    selector_of,
)
from sampan.control.controllers.controller import (
    Circumstances,
    Controller,
    Watch,
    key_of,
    keys_of_controller,
    keys_of_self,
)
from sampan.control.controllers.pod_availability import seconds_until_available
from sampan.control.controllers.views import Condition, Pod, ReplicaSet, condition
from sampan.kubernetes.kinds.resource import PODS, REPLICA_SETS
from sampan.kubernetes.machinery import timestamps

ACCOUNT = COMPONENT = "replicaset-controller"
LARGEST_BATCH = 500
_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}


class Snapshot(msgspec.Struct, frozen=True):
    """`pods`: those that the set controls and those in its namespace that nobody does;
    `neighbours`: how many active pods of related sets each node runs."""

    replica_set: ReplicaSet
    pods: tuple[Pod, ...]
    neighbours: dict[str, int]
    failure: str = ""


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Adopt, release, create, delete, and tell the status."""
    replica_set = snapshot.replica_set
    metadata = replica_set.metadata
    selector = selector_of(replica_set.spec.selector)
    owned = [pod for pod in snapshot.pods if is_controlled_by(pod, metadata)]
    if metadata.deletion_timestamp is not None:
        return plans.Plan(actions=_status_actions(snapshot, owned, now))
    unfinished = [pod for pod in snapshot.pods if not pod.is_finished]
    active = [pod for pod in owned if pod.is_active and selector.matches(pod.metadata.labels)]
    adopted = sum(adoptable(pod, selector) for pod in unfinished)
    actions = claims(REPLICA_SETS, metadata, selector, PODS, unfinished)
    actions += _scale(replica_set, active, adopted, snapshot.neighbours, now)
    if snapshot.failure or not actions:
        actions = _status_actions(snapshot, owned, now) + actions
    return plans.Plan(actions=actions, again_after=_next_availability(replica_set, active, now))


def _scale(
    replica_set: ReplicaSet,
    active: list[Pod],
    adopted: int,
    neighbours: dict[str, int],
    now: datetime,
) -> tuple[plans.Action, ...]:
    missing = replica_set.spec.replicas - len(active) - adopted
    if missing > 0:
        return tuple(_creation(replica_set) for _ in range(min(missing, LARGEST_BATCH)))
    if missing < 0 and not adopted:
        ranked = _least_useful_first(active, neighbours, now)
        return tuple(_deletion(replica_set, pod) for pod in ranked[: min(-missing, LARGEST_BATCH)])
    return ()


def _creation(replica_set: ReplicaSet) -> plans.Create:
    template: dict[str, Any] = msgspec.json.decode(replica_set.spec.template)
    metadata = template.get("metadata") or {}
    about = plans.reference(REPLICA_SETS, replica_set.metadata)
    return plans.Create(
        resource=PODS,
        namespace=replica_set.metadata.namespace,
        body={
            "apiVersion": PODS.group_version,
            "kind": PODS.kind,
            "metadata": {
                "generateName": f"{replica_set.metadata.name}-",
                "labels": metadata.get("labels") or {},
                "annotations": metadata.get("annotations") or {},
                "finalizers": metadata.get("finalizers") or [],
                "ownerReferences": [plans.owner_reference(REPLICA_SETS, replica_set.metadata)],
            },
            "spec": template.get("spec") or {},
        },
        success=plans.Report(about, "Normal", "SuccessfulCreate", "Created pod: {name}"),
        failure=plans.Report(about, "Warning", "FailedCreate", "Error creating: {error}"),
    )


def _deletion(replica_set: ReplicaSet, pod: Pod) -> plans.Delete:
    about = plans.reference(REPLICA_SETS, replica_set.metadata)
    return plans.Delete(
        resource=PODS,
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        success=plans.Report(about, "Normal", "SuccessfulDelete", "Deleted pod: {name}"),
        failure=plans.Report(about, "Warning", "FailedDelete", "Error deleting: {error}"),
    )


def _least_useful_first(active: list[Pod], neighbours: dict[str, int], now: datetime) -> list[Pod]:
    """Unassigned, pending, not ready, cheap, crowded, ready for a short time, restarted often,
    young (Kubernetes' ActivePodsWithRanks, KEP-2185, KEP-2255). Each pod that goes makes its
    node less crowded, so that those that stay are spread."""
    left = dict(neighbours)
    crowds: dict[str, int] = {}
    for pod in sorted(active, key=lambda pod: (_state_rank(pod), _age_rank(pod, now))):
        node = pod.spec.node_name
        crowds[pod.metadata.uid] = left.get(node, 0)
        left[node] = left.get(node, 0) - 1
    return sorted(
        active,
        key=lambda pod: (_state_rank(pod), -crowds[pod.metadata.uid], _age_rank(pod, now)),
    )


def _state_rank(pod: Pod) -> tuple[bool, int, bool, int]:
    return (
        bool(pod.spec.node_name),
        _PHASE_ORDER.get(pod.status.phase, 1),
        pod.is_ready,
        _deletion_cost(pod),
    )


def _age_rank(pod: Pod, now: datetime) -> tuple[int, int, int, str]:
    ready = pod.ready_condition
    ready_at = ready.last_transition_time if ready is not None and pod.is_ready else None
    restarts = sum(status.restart_count for status in pod.status.container_statuses)
    return (
        _age_class(ready_at, now),
        -restarts,
        _age_class(pod.metadata.creation_timestamp, now),
        pod.metadata.uid,
    )


def _age_class(timestamp: str | None, now: datetime) -> int:
    """Ages on a logarithmic scale, so that among pods of about one age none is preferred."""
    if timestamp is None:
        return 0
    seconds = int((now - timestamps.parse(timestamp)).total_seconds())
    return max(seconds, 0).bit_length()


def _deletion_cost(pod: Pod) -> int:
    text = pod.metadata.annotations.get("controller.kubernetes.io/pod-deletion-cost", "0")
    digits = text.removeprefix("-")
    return int(text) if digits.isdecimal() and len(digits) <= 10 else 0


def _next_availability(replica_set: ReplicaSet, active: list[Pod], now: datetime) -> float | None:
    minimum = replica_set.spec.min_ready_seconds
    waits = [seconds_until_available(pod, minimum, now) for pod in active]
    return min((wait for wait in waits if wait), default=None)


def _status_actions(
    snapshot: Snapshot, owned: list[Pod], now: datetime
) -> tuple[plans.Action, ...]:
    replica_set = snapshot.replica_set
    wanted = _status(snapshot, owned, now)
    if wanted == _comparable(replica_set):
        return ()
    return (plans.status_patch(REPLICA_SETS, replica_set.metadata, wanted),)


def _status(snapshot: Snapshot, owned: list[Pod], now: datetime) -> dict[str, Any]:
    replica_set = snapshot.replica_set
    active = [pod for pod in owned if pod.is_active]
    waits = [
        seconds_until_available(pod, replica_set.spec.min_ready_seconds, now) for pod in active
    ]
    template: dict[str, Any] = msgspec.json.decode(replica_set.spec.template)
    labels = ((template.get("metadata") or {}).get("labels") or {}).items()
    return {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(labels <= pod.metadata.labels.items() for pod in active),
        "readyReplicas": sum(wait is not None for wait in waits),
        "availableReplicas": sum(wait == 0 for wait in waits),
        "terminatingReplicas": sum(
            pod.metadata.deletion_timestamp is not None and not pod.is_finished for pod in owned
        ),
        "observedGeneration": replica_set.metadata.generation,
        "conditions": _conditions(replica_set, snapshot.failure, now),
    }


def _conditions(replica_set: ReplicaSet, failure: str, now: datetime) -> list[dict[str, Any]]:
    if not failure:
        return []
    present = condition(replica_set.status.conditions, "ReplicaFailure")
    # Each refusal names another pod: to tell of every one would wake this plan again at once.
    if present is None:
        present = Condition(
            type="ReplicaFailure",
            status="True",
            reason="FailedCreate",
            message=failure,
            last_transition_time=timestamps.to_seconds(now),
        )
    return [msgspec.to_builtins(present)]


def _comparable(replica_set: ReplicaSet) -> dict[str, Any]:
    status = replica_set.status
    return {
        "replicas": status.replicas,
        "fullyLabeledReplicas": status.fully_labeled_replicas,
        "readyReplicas": status.ready_replicas,
        "availableReplicas": status.available_replicas,
        "terminatingReplicas": status.terminating_replicas,
        "observedGeneration": status.observed_generation,
        "conditions": [msgspec.to_builtins(each) for each in status.conditions],
    }


def observe(caches: Caches, key: str, circumstances: Circumstances) -> Snapshot | None:
    """What the caches know of a ReplicaSet; None when it is gone."""
    replica_set = caches.replica_sets.get(key)
    if replica_set is None:
        return None
    own = caches.pods.controlled_by(replica_set.metadata.uid)
    return Snapshot(
        replica_set=replica_set,
        pods=(*own, *caches.pods.orphans(replica_set.metadata.namespace)),
        neighbours=_neighbours(caches, replica_set),
        failure=circumstances.failure,
    )


def _neighbours(caches: Caches, replica_set: ReplicaSet) -> dict[str, int]:
    owner = replica_set.metadata.controller
    related = caches.replica_sets.controlled_by(owner.uid) if owner else (replica_set,)
    nodes = (
        pod.spec.node_name
        for each in related
        for pod in caches.pods.controlled_by(each.metadata.uid)
        if pod.is_active
    )
    return dict(Counter(nodes))


def _keys_of_pod(caches: Caches, old: Pod | None, new: Pod | None) -> Iterable[str]:
    if new is None or new.metadata.controller is not None:
        return keys_of_controller("ReplicaSet")(caches, old, new)
    labels = new.metadata.labels
    return [
        key_of(each.metadata.namespace, each.metadata.name)
        for each in caches.replica_sets.in_namespace(new.metadata.namespace)
        if selector_of(each.spec.selector).matches(labels)
    ]


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(
        Watch(lambda caches: caches.replica_sets, keys_of_self),
        Watch(lambda caches: caches.pods, _keys_of_pod),
    ),
    observe=observe,
    plan=plan,
)
