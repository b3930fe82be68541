"""Rolls a Deployment's template out, revision by revision, through ReplicaSets.

Each plan takes one step (create or renew the new ReplicaSet, size it, size the old ones, clean
up) and tells the status; the step's effect on the caches makes the next plan. The arithmetic
is in `deployment_scaling`, revisions in `deployment_revisions`, conditions in
`deployment_status`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.controllers import deployment_revisions as revisions
from sampan.control.controllers import deployment_scaling as scaling
from sampan.control.controllers import deployment_status as statuses
from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.claims import claims, is_controlled_by, selector_of
from sampan.control.controllers.controller import (
    Circumstances,
    Controller,
    Watch,
    key_of,
    keys_of_controller,
    keys_of_self,
)
from sampan.control.controllers.deployment_revisions import Generations
from sampan.control.controllers.template_hash import HASH_LABEL
from sampan.control.controllers.views import Deployment, Pod, ReplicaSet
from sampan.kubernetes.kinds.resource import DEPLOYMENTS, REPLICA_SETS

ACCOUNT = COMPONENT = "deployment-controller"


class Snapshot(msgspec.Struct, frozen=True):
    """`replica_sets`: those that the Deployment controls, and those in its namespace that
    nobody does; `pods`: how many unfinished pods there are of each ReplicaSet, by uid, those
    being deleted included."""

    deployment: Deployment
    replica_sets: tuple[ReplicaSet, ...]
    pods: dict[str, int]


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """The next step of the rollout, and the status."""
    deployment = snapshot.deployment
    metadata = deployment.metadata
    owned = tuple(each for each in snapshot.replica_sets if is_controlled_by(each, metadata))
    replica_sets = revisions.generations(deployment, owned)
    steps: tuple[plans.Action, ...] = ()
    if metadata.deletion_timestamp is None:
        selector = selector_of(deployment.spec.selector)
        steps = claims(
            DEPLOYMENTS, metadata, selector, REPLICA_SETS, snapshot.replica_sets
        ) or _steps(snapshot, replica_sets)
    return plans.Plan(
        actions=steps + _status(deployment, replica_sets, bool(steps), now),
        again_after=statuses.seconds_to_deadline(deployment, now) or None,
    )


def _steps(snapshot: Snapshot, replica_sets: Generations) -> tuple[plans.Action, ...]:
    deployment = snapshot.deployment
    if deployment.spec.paused or scaling.is_resized(deployment, replica_sets.active):
        return _resize(deployment, replica_sets)
    if deployment.spec.strategy.type == "Recreate":
        steps = _recreate(snapshot, replica_sets)
    else:
        steps = _roll(deployment, replica_sets)
    if steps or not statuses.is_complete(deployment, statuses.counts(deployment, replica_sets)):
        return steps
    return tuple(_removal(each) for each in revisions.superfluous(deployment, replica_sets.old))


def _roll(deployment: Deployment, replica_sets: Generations) -> tuple[plans.Action, ...]:
    size = scaling.new_size(deployment, replica_sets.new, replica_sets.old)
    steps = _renew(deployment, replica_sets, size)
    if steps:
        return steps
    sizes = scaling.old_sizes(deployment, replica_sets.new, replica_sets.old)
    return _sized(deployment, replica_sets.old, sizes)


def _recreate(snapshot: Snapshot, replica_sets: Generations) -> tuple[plans.Action, ...]:
    deployment = snapshot.deployment
    steps = _sized(
        deployment, replica_sets.old, {each.metadata.name: 0 for each in replica_sets.old}
    )
    if steps:
        return steps
    if any(snapshot.pods.get(each.metadata.uid) for each in replica_sets.old):
        return ()
    return _renew(deployment, replica_sets, deployment.spec.replicas)


def _resize(deployment: Deployment, replica_sets: Generations) -> tuple[plans.Action, ...]:
    """Only sizes: the Deployment is paused, or wants another number of pods than before."""
    only = replica_sets.active_or_latest
    wanted = deployment.spec.replicas
    if only is not None:
        return _sized(deployment, (only,), {only.metadata.name: wanted})
    if scaling.is_saturated(deployment, replica_sets.new):
        old = [each for each in replica_sets.old if each.spec.replicas > 0]
        return _sized(deployment, tuple(old), {each.metadata.name: 0 for each in old})
    if deployment.spec.strategy.type != "RollingUpdate":
        return ()
    sizes = scaling.proportional_sizes(deployment, replica_sets.active)
    return _sized(deployment, replica_sets.active, sizes) if sizes else ()


def _renew(
    deployment: Deployment, replica_sets: Generations, size: int
) -> tuple[plans.Action, ...]:
    """Create the new ReplicaSet, or bring its size, its revision and its annotations in line."""
    new = replica_sets.new
    number = revisions.next_revision(replica_sets.old)
    annotations = revisions.new_annotations(deployment, new, number)
    marks = _revision_marks(deployment, annotations[revisions.REVISION])
    if new is None:
        return (_creation(deployment, annotations, size), *marks)
    wanted = {**annotations, **scaling.size_annotations(deployment)}
    changed = {
        key: value for key, value in wanted.items() if new.metadata.annotations.get(key) != value
    }
    spec: dict[str, Any] = {}
    if new.spec.replicas != size:
        spec["replicas"] = size
    if new.spec.min_ready_seconds != deployment.spec.min_ready_seconds:
        spec["minReadySeconds"] = deployment.spec.min_ready_seconds
    if not changed and not spec:
        return marks
    body = {"metadata": {"annotations": changed}, "spec": spec}
    return (_patch(deployment, new, body, size), *marks)


def _revision_marks(deployment: Deployment, number: str) -> tuple[plans.Action, ...]:
    if deployment.metadata.annotations.get(revisions.REVISION) == number:
        return ()
    return (
        plans.Patch(
            resource=DEPLOYMENTS,
            namespace=deployment.metadata.namespace,
            name=deployment.metadata.name,
            uid=deployment.metadata.uid,
            body={"metadata": {"annotations": {revisions.REVISION: number}}},
        ),
    )


def _creation(deployment: Deployment, annotations: dict[str, str], size: int) -> plans.Create:
    name, value = revisions.name_of_new(deployment)
    template: dict[str, Any] = msgspec.json.decode(deployment.spec.template)
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), HASH_LABEL: value}
    selector = dict(deployment.spec.selector)
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: value}
    return plans.Create(
        resource=REPLICA_SETS,
        namespace=deployment.metadata.namespace,
        body={
            "apiVersion": REPLICA_SETS.group_version,
            "kind": REPLICA_SETS.kind,
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {**annotations, **scaling.size_annotations(deployment)},
                "ownerReferences": [plans.owner_reference(DEPLOYMENTS, deployment.metadata)],
            },
            "spec": {
                "replicas": size,
                "minReadySeconds": deployment.spec.min_ready_seconds,
                "selector": selector,
                "template": {**template, "metadata": {**metadata, "labels": labels}},
            },
        },
        success=_report(deployment, name, 0, size),
    )


def _sized(
    deployment: Deployment, replica_sets: tuple[ReplicaSet, ...], sizes: dict[str, int]
) -> tuple[plans.Action, ...]:
    annotations = scaling.size_annotations(deployment)
    actions: list[plans.Action] = []
    for each in replica_sets:
        size = sizes.get(each.metadata.name, each.spec.replicas)
        resized = size != each.spec.replicas
        if resized or (size and not annotations.items() <= each.metadata.annotations.items()):
            spec = {"replicas": size} if resized else {}
            body = {"metadata": {"annotations": annotations}, "spec": spec}
            actions.append(_patch(deployment, each, body, size))
    return tuple(actions)


def _patch(
    deployment: Deployment, replica_set: ReplicaSet, body: dict[str, Any], size: int
) -> plans.Patch:
    before = replica_set.spec.replicas
    name = replica_set.metadata.name
    return plans.Patch(
        resource=REPLICA_SETS,
        namespace=replica_set.metadata.namespace,
        name=name,
        uid=replica_set.metadata.uid,
        resource_version=replica_set.metadata.resource_version,
        body=body,
        success=_report(deployment, name, before, size) if size != before else None,
    )


def _report(deployment: Deployment, name: str, before: int, after: int) -> plans.Report:
    direction = "up" if after > before else "down"
    return plans.Report(
        plans.reference(DEPLOYMENTS, deployment.metadata),
        "Normal",
        "ScalingReplicaSet",
        f"Scaled {direction} replica set {name} from {before} to {after}",
    )


def _removal(replica_set: ReplicaSet) -> plans.Delete:
    return plans.deletion(REPLICA_SETS, replica_set.metadata, unchanged=True)


def _status(
    deployment: Deployment, replica_sets: Generations, resumed: bool, now: datetime
) -> tuple[plans.Action, ...]:
    wanted = statuses.status(deployment, replica_sets, resumed=resumed, now=now)
    if wanted == statuses.present_status(deployment):
        return ()
    return (plans.status_patch(DEPLOYMENTS, deployment.metadata, wanted),)


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """What the caches know of a Deployment; None when it is gone."""
    deployment = caches.deployments.get(key)
    if deployment is None:
        return None
    own = caches.replica_sets.controlled_by(deployment.metadata.uid)
    pods = {
        each.metadata.uid: sum(
            not pod.is_finished for pod in caches.pods.controlled_by(each.metadata.uid)
        )
        for each in own
    }
    orphans = caches.replica_sets.orphans(deployment.metadata.namespace)
    return Snapshot(deployment, (*own, *orphans), pods)


def _keys_of_replica_set(
    caches: Caches, old: ReplicaSet | None, new: ReplicaSet | None
) -> Iterable[str]:
    if new is None or new.metadata.controller is not None:
        return keys_of_controller(DEPLOYMENTS.kind)(caches, old, new)
    labels = new.metadata.labels
    return [
        key_of(each.metadata.namespace, each.metadata.name)
        for each in caches.deployments.in_namespace(new.metadata.namespace)
        if selector_of(each.spec.selector).matches(labels)
    ]


def _keys_of_vanished_pod(caches: Caches, old: Pod | None, new: Pod | None) -> Iterable[str]:
    """Only the end of a pod matters here: Recreate waits for it."""
    if old is None or (new is not None and not new.is_finished):
        return ()
    owner = old.metadata.controller
    if owner is None:
        return ()
    replica_set = caches.replica_sets.get(key_of(old.metadata.namespace, owner.name))
    if replica_set is None:
        return ()
    return keys_of_controller(DEPLOYMENTS.kind)(caches, None, replica_set)


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(
        Watch(lambda caches: caches.deployments, keys_of_self),
        Watch(lambda caches: caches.replica_sets, _keys_of_replica_set),
        Watch(lambda caches: caches.pods, _keys_of_vanished_pod),
    ),
    observe=observe,
    plan=plan,
)
