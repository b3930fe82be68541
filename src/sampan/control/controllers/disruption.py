"""Keeps each PodDisruptionBudget's account: how many of its pods are well, and how many may go.

The rules are those of policy/v1: a percentage, and any `maxUnavailable`, is counted against the
replicas that the pods' controllers want, not against the pods that happen to be there. Pods that
the eviction API has marked count as gone for two minutes, until they really are.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.deployment_scaling import resolve
from sampan.control.controllers.views import DisruptionBudget, Pod, ReplicaSet, Scaled
from sampan.kubernetes.client.contract import Object
from sampan.kubernetes.kinds.resource import POD_DISRUPTION_BUDGETS
from sampan.kubernetes.machinery import conditions, timestamps
from sampan.kubernetes.machinery.selectors import InvalidSelector, from_object

ACCOUNT = "disruption-controller"
COMPONENT = "controllermanager"
MARKED_FOR = timedelta(minutes=2)
_CONDITION = "DisruptionAllowed"


class Snapshot(msgspec.Struct, frozen=True):
    """`scales` are the replicas that the controllers of the pods want, by the controller's uid;
    `scale_of` names for each pod the controller that is counted, empty where there is none."""

    budget: DisruptionBudget
    pods: tuple[Pod, ...]
    scales: dict[str, int]
    scale_of: dict[str, str]


class _Account(msgspec.Struct, frozen=True):
    healthy: int
    desired: int
    expected: int
    allowed: int


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Write the account, if it has changed; look again when a mark runs out."""
    budget = snapshot.budget
    marked, next_end = _marked(snapshot, now)
    wanted = _status(snapshot, marked, now)
    again = (next_end - now).total_seconds() if next_end is not None else None
    if wanted == budget.status:
        return plans.Plan(again_after=again)
    patch = plans.Patch(
        resource=POD_DISRUPTION_BUDGETS,
        namespace=budget.metadata.namespace,
        name=budget.metadata.name,
        uid=budget.metadata.uid,
        resource_version=budget.metadata.resource_version,
        subresource="status",
        body={"status": _replacing(budget.status, wanted)},
    )
    return plans.Plan(actions=(patch,), again_after=again)


def _replacing(before: Object, wanted: Object) -> Object:
    """A merge patch that leaves nothing of what isn't wanted any longer."""
    gone = (before.get("disruptedPods") or {}).keys() - (wanted.get("disruptedPods") or {}).keys()
    forgotten = dict.fromkeys(gone)
    return {**wanted, "disruptedPods": {**(wanted.get("disruptedPods") or {}), **forgotten}}


def _marked(snapshot: Snapshot, now: datetime) -> tuple[dict[str, str], datetime | None]:
    """The pods whose eviction was allowed but has not come about, and when the first mark ends."""
    present = {pod.metadata.name: pod for pod in snapshot.pods}
    kept: dict[str, str] = {}
    ends: list[datetime] = []
    for name, since in (snapshot.budget.status.get("disruptedPods") or {}).items():
        pod, end = present.get(name), timestamps.parse(since) + MARKED_FOR
        if pod is not None and pod.metadata.deletion_timestamp is None and end > now:
            kept[name] = since
            ends.append(end)
    return kept, min(ends, default=None)


def _status(snapshot: Snapshot, marked: dict[str, str], now: datetime) -> Object:
    before, metadata = snapshot.budget.status, snapshot.budget.metadata
    account = _account(snapshot, marked)
    written: Object = {
        "observedGeneration": metadata.generation,
        "currentHealthy": account.healthy if account else before.get("currentHealthy", 0),
        "desiredHealthy": account.desired if account else before.get("desiredHealthy", 0),
        "expectedPods": account.expected if account else before.get("expectedPods", 0),
        "disruptionsAllowed": account.allowed if account else 0,
    }
    if marked:
        written["disruptedPods"] = marked
    reason = "SyncFailed"
    message = "the replicas that the controllers of the pods want are not known"
    if account is not None:
        reason = "SufficientPods" if account.allowed else "InsufficientPods"
        message = ""
    written["conditions"] = conditions.with_condition(
        before.get("conditions"),
        _CONDITION,
        "True" if written["disruptionsAllowed"] else "False",
        timestamps.to_seconds(now),
        reason=reason,
        message=message,
    )
    written["conditions"][-1].setdefault("message", "")
    for entry in written["conditions"]:
        entry["observedGeneration"] = metadata.generation
    return written


def _account(snapshot: Snapshot, marked: dict[str, str]) -> _Account | None:
    """None when the number of pods that there should be can't be told."""
    spec, pods = snapshot.budget.spec, snapshot.pods
    healthy = sum(
        pod.is_ready and pod.metadata.deletion_timestamp is None and pod.metadata.name not in marked
        for pod in pods
    )
    if spec.max_unavailable is None and isinstance(spec.min_available, int):
        expected, desired = len(pods), spec.min_available
    else:
        counted = _expected(snapshot)
        if counted is None:
            return None
        expected = counted
        if spec.max_unavailable is not None:
            desired = max(0, expected - resolve(spec.max_unavailable, expected, round_up=True))
        else:
            desired = resolve(spec.min_available or 0, expected, round_up=True)
    allowed = max(0, healthy - desired) if expected > 0 else 0
    return _Account(healthy, desired, expected, allowed)


def _expected(snapshot: Snapshot) -> int | None:
    counted = {snapshot.scale_of[pod.metadata.uid] for pod in snapshot.pods}
    if "" in counted:
        return None
    return sum(snapshot.scales[uid] for uid in counted)


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """The budget with its pods and their controllers; None for one that is gone."""
    budget = caches.disruption_budgets.get(key)
    if budget is None or budget.metadata.deletion_timestamp is not None:
        return None
    pods = _selected(caches, budget)
    scale_of: dict[str, str] = {}
    scales: dict[str, int] = {}
    for pod in pods:
        found = _scale(caches, pod)
        scale_of[pod.metadata.uid] = found[0] if found else ""
        if found:
            scales[found[0]] = found[1]
    return Snapshot(budget, pods, scales, scale_of)


def _selected(caches: Caches, budget: DisruptionBudget) -> tuple[Pod, ...]:
    """The pods of a budget that have not ended; a budget without a selector has none."""
    pods = caches.pods.in_namespace(budget.metadata.namespace)
    return tuple(pod for pod in pods if _covers(budget, pod) and not pod.is_finished)


def _covers(budget: DisruptionBudget, pod: Pod) -> bool:
    try:
        selector = from_object(budget.spec.selector)
    except InvalidSelector:
        return False
    return selector is not None and selector.matches(pod.metadata.labels)


def _scale(caches: Caches, pod: Pod) -> tuple[str, int] | None:
    """The uid of the controller that says how many such pods there should be, and how many."""
    owner = pod.metadata.controller
    if owner is None:
        return None
    key = f"{pod.metadata.namespace}/{owner.name}"
    if owner.kind == "ReplicaSet":
        replica_set = caches.replica_sets.get(key)
        if replica_set is None or replica_set.metadata.uid != owner.uid:
            return None
        above = replica_set.metadata.controller
        if above is None or above.kind != "Deployment":
            return owner.uid, replica_set.spec.replicas
        deployment = caches.deployments.get(f"{pod.metadata.namespace}/{above.name}")
        return None if deployment is None else (above.uid, deployment.spec.replicas)
    found = _scaled(caches, owner.kind, key)
    if found is None or found.metadata.uid != owner.uid:
        return None
    return owner.uid, found.spec.replicas


def _scaled(caches: Caches, kind: str, key: str) -> Scaled | ReplicaSet | None:
    if kind == "StatefulSet":
        return caches.stateful_sets.get(key)
    if kind == "ReplicationController":
        return caches.replication_controllers.get(key)
    return None


def _keys_of_pod(caches: Caches, old: Pod | None, new: Pod | None) -> Iterable[str]:
    """The budgets that select the pod, before or after."""
    sides = [pod for pod in (old, new) if pod is not None]
    namespace = sides[0].metadata.namespace
    for budget in caches.disruption_budgets.in_namespace(namespace):
        if any(_covers(budget, pod) for pod in sides):
            yield f"{namespace}/{budget.metadata.name}"


def _keys_of_scaled(caches: Caches, old: Any, new: Any) -> Iterable[str]:
    """Every budget of the namespace: they are few."""
    namespace = (new or old).metadata.namespace
    budgets = caches.disruption_budgets.in_namespace(namespace)
    return [f"{namespace}/{budget.metadata.name}" for budget in budgets]


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(
        Watch(lambda caches: caches.disruption_budgets, keys_of_self),
        Watch(lambda caches: caches.pods, _keys_of_pod),
        Watch(lambda caches: caches.replica_sets, _keys_of_scaled),
        Watch(lambda caches: caches.deployments, _keys_of_scaled),
        Watch(lambda caches: caches.stateful_sets, _keys_of_scaled),
        Watch(lambda caches: caches.replication_controllers, _keys_of_scaled),
    ),
    observe=observe,
    plan=plan,
)
