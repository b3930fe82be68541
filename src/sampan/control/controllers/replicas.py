"""Keeps as many pods of a template running as an object asks for: what a ReplicaSet and a
ReplicationController have in common.

Pods that are finished or being deleted do not count, so that a replacement is created at once.
Which pods belong to the object is decided by their controller reference; a pod without one that
the selector matches is adopted, one that it matches no longer is let go. How the two kinds differ
is said by `Replicated`; nothing here knows which of them it plans for.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Cache, Caches
from sampan.control.controllers.claims import adoptable, claims, is_controlled_by
from sampan.control.controllers.controller import (
    Circumstances,
    Controller,
    Keys,
    Watch,
    key_of,
    keys_of_controller,
    keys_of_self,
)
from sampan.control.controllers.pod_availability import seconds_until_available
from sampan.control.controllers.pod_ranking import least_useful_first
from sampan.control.controllers.views import Condition, Pod, ReplicaSet, condition
from sampan.kubernetes.kinds.resource import PODS, Resource
from sampan.kubernetes.machinery import timestamps
from sampan.kubernetes.machinery.selectors import Selector

LARGEST_BATCH = 500


class Replicated(msgspec.Struct, frozen=True, kw_only=True):
    """A kind that keeps replicas. `selector` says which pods are its own; `related` names the
    objects whose pods it would rather not share nodes with, itself among them;
    `counts_terminating` says whether its status tells how many pods are on their way out."""

    resource: Resource
    cache: Callable[[Caches], Cache[ReplicaSet]]
    selector: Callable[[ReplicaSet], Selector]
    related: Callable[[Caches, ReplicaSet], tuple[ReplicaSet, ...]]
    counts_terminating: bool


class Snapshot(msgspec.Struct, frozen=True):
    """`pods`: those that the owner controls and those in its namespace that nobody does;
    `neighbours`: how many active pods of related owners each node runs."""

    kind: Replicated
    owner: ReplicaSet
    pods: tuple[Pod, ...]
    neighbours: dict[str, int]
    failure: str = ""


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Adopt, release, create, delete, and tell the status."""
    kind, owner = snapshot.kind, snapshot.owner
    metadata = owner.metadata
    selector = kind.selector(owner)
    owned = [pod for pod in snapshot.pods if is_controlled_by(pod, metadata)]
    if metadata.deletion_timestamp is not None:
        return plans.Plan(actions=_status_actions(snapshot, owned, now))
    unfinished = [pod for pod in snapshot.pods if not pod.is_finished]
    active = [pod for pod in owned if pod.is_active and selector.matches(pod.metadata.labels)]
    adopted = sum(adoptable(pod, selector) for pod in unfinished)
    actions = claims(kind.resource, metadata, selector, PODS, unfinished)
    actions += _scale(snapshot, active, adopted, now)
    if snapshot.failure or not actions:
        actions = _status_actions(snapshot, owned, now) + actions
    return plans.Plan(actions=actions, again_after=_next_availability(owner, active, now))


def _scale(
    snapshot: Snapshot, active: list[Pod], adopted: int, now: datetime
) -> tuple[plans.Action, ...]:
    kind, owner = snapshot.kind, snapshot.owner
    missing = owner.spec.replicas - len(active) - adopted
    if missing > 0:
        return (_creation(kind.resource, owner),) * min(missing, LARGEST_BATCH)
    if missing < 0 and not adopted:
        ranked = least_useful_first(active, snapshot.neighbours, now)
        leaving = ranked[: min(-missing, LARGEST_BATCH)]
        return tuple(_deletion(kind.resource, owner, pod) for pod in leaving)
    return ()


def _creation(resource: Resource, owner: ReplicaSet) -> plans.Create:
    template: dict[str, Any] = msgspec.json.decode(owner.spec.template)
    metadata = template.get("metadata") or {}
    about = plans.reference(resource, owner.metadata)
    return plans.Create(
        resource=PODS,
        namespace=owner.metadata.namespace,
        body={
            "apiVersion": PODS.group_version,
            "kind": PODS.kind,
            "metadata": {
                "generateName": f"{owner.metadata.name}-",
                "labels": metadata.get("labels") or {},
                "annotations": metadata.get("annotations") or {},
                "finalizers": metadata.get("finalizers") or [],
                "ownerReferences": [plans.owner_reference(resource, owner.metadata)],
            },
            "spec": template.get("spec") or {},
        },
        success=plans.Report(about, "Normal", "SuccessfulCreate", "Created pod: {name}"),
        failure=plans.Report(about, "Warning", "FailedCreate", "Error creating: {error}"),
    )


def _deletion(resource: Resource, owner: ReplicaSet, pod: Pod) -> plans.Delete:
    about = plans.reference(resource, owner.metadata)
    return plans.deletion(
        PODS,
        pod.metadata,
        success=plans.Report(about, "Normal", "SuccessfulDelete", "Deleted pod: {name}"),
        failure=plans.Report(about, "Warning", "FailedDelete", "Error deleting: {error}"),
    )


def _next_availability(owner: ReplicaSet, active: list[Pod], now: datetime) -> float | None:
    minimum = owner.spec.min_ready_seconds
    waits = [seconds_until_available(pod, minimum, now) for pod in active]
    return min((wait for wait in waits if wait), default=None)


def _status_actions(
    snapshot: Snapshot, owned: list[Pod], now: datetime
) -> tuple[plans.Action, ...]:
    wanted = _status(snapshot, owned, now)
    if wanted == _comparable(snapshot):
        return ()
    return (plans.status_patch(snapshot.kind.resource, snapshot.owner.metadata, wanted),)


def _status(snapshot: Snapshot, owned: list[Pod], now: datetime) -> dict[str, Any]:
    owner = snapshot.owner
    active = [pod for pod in owned if pod.is_active]
    waits = [seconds_until_available(pod, owner.spec.min_ready_seconds, now) for pod in active]
    template: dict[str, Any] = msgspec.json.decode(owner.spec.template)
    labels = ((template.get("metadata") or {}).get("labels") or {}).items()
    status = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(labels <= pod.metadata.labels.items() for pod in active),
        "readyReplicas": sum(wait is not None for wait in waits),
        "availableReplicas": sum(wait == 0 for wait in waits),
        "observedGeneration": owner.metadata.generation,
        "conditions": _conditions(snapshot, len(active), now),
    }
    if snapshot.kind.counts_terminating:
        status["terminatingReplicas"] = sum(
            pod.metadata.deletion_timestamp is not None and not pod.is_finished for pod in owned
        )
    return status


def _conditions(snapshot: Snapshot, active: int, now: datetime) -> list[dict[str, Any]]:
    if not snapshot.failure:
        return []
    present = condition(snapshot.owner.status.conditions, "ReplicaFailure")
    # Each refusal names another pod: to tell of every one would wake this plan again at once.
    if present is None:
        present = Condition(
            type="ReplicaFailure",
            status="True",
            reason="FailedDelete" if active > snapshot.owner.spec.replicas else "FailedCreate",
            message=snapshot.failure,
            last_transition_time=timestamps.to_seconds(now),
        )
    return [msgspec.to_builtins(present)]


def _comparable(snapshot: Snapshot) -> dict[str, Any]:
    """The present status, in the form of the one that is wanted."""
    status = snapshot.owner.status
    comparable = {
        "replicas": status.replicas,
        "fullyLabeledReplicas": status.fully_labeled_replicas,
        "readyReplicas": status.ready_replicas,
        "availableReplicas": status.available_replicas,
        "observedGeneration": status.observed_generation,
        "conditions": [msgspec.to_builtins(each) for each in status.conditions],
    }
    if snapshot.kind.counts_terminating:
        comparable["terminatingReplicas"] = status.terminating_replicas
    return comparable


def controller(account: str, kind: Replicated) -> Controller[Snapshot]:
    """The controller of a kind that keeps replicas, writing as `account`."""

    def observe(caches: Caches, key: str, circumstances: Circumstances) -> Snapshot | None:
        owner = kind.cache(caches).get(key)
        if owner is None:
            return None
        own = caches.pods.controlled_by(owner.metadata.uid)
        return Snapshot(
            kind=kind,
            owner=owner,
            pods=(*own, *caches.pods.orphans(owner.metadata.namespace)),
            neighbours=_neighbours(caches, kind.related(caches, owner)),
            failure=circumstances.failure,
        )

    return Controller(
        account=account,
        component=account,
        watches=(
            Watch(kind.cache, keys_of_self),
            Watch(lambda caches: caches.pods, _keys_of_pod(kind)),
        ),
        observe=observe,
        plan=plan,
    )


def _neighbours(caches: Caches, related: Iterable[ReplicaSet]) -> dict[str, int]:
    nodes = (
        pod.spec.node_name
        for each in related
        for pod in caches.pods.controlled_by(each.metadata.uid)
        if pod.is_active
    )
    return dict(Counter(nodes))


def _keys_of_pod(kind: Replicated) -> Keys:
    """A pod wakes its controller; one without any, every object that might adopt it."""
    of_controller = keys_of_controller(kind.resource.kind)

    def keys(caches: Caches, old: Pod | None, new: Pod | None) -> Iterable[str]:
        if new is None or new.metadata.controller is not None:
            return of_controller(caches, old, new)
        labels = new.metadata.labels
        return [
            key_of(each.metadata.namespace, each.metadata.name)
            for each in kind.cache(caches).in_namespace(new.metadata.namespace)
            if kind.selector(each).matches(labels)
        ]

    return keys
