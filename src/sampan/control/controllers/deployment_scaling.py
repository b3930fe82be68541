"""The arithmetic of a Deployment: how many pods each of its ReplicaSets may have. Pure.

The rules are those of Kubernetes' rolling update: never more than replicas + maxSurge pods,
never fewer than replicas - maxUnavailable available ones, percentages rounded up for the surge
and down for the unavailable; and a Deployment that is resized in the middle of an update
shares the difference among its ReplicaSets in proportion to their sizes.
"""

import msgspec

from sampan.control.controllers.deployment_revisions import age
from sampan.control.controllers.views import Deployment, IntOrString, ReplicaSet, RollingUpdate

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


class Limits(msgspec.Struct, frozen=True):
    """How far a rolling update may stray from the wanted number of pods."""

    surge: int
    unavailable: int


def limits(deployment: Deployment) -> Limits:
    """The surge and the unavailability that a Deployment allows, in pods."""
    spec = deployment.spec
    if spec.strategy.type != "RollingUpdate":
        return Limits(surge=0, unavailable=0)
    rolling = spec.strategy.rolling_update or RollingUpdate()
    surge = resolve(rolling.max_surge, spec.replicas, round_up=True)
    unavailable = resolve(rolling.max_unavailable, spec.replicas, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(surge=surge, unavailable=min(unavailable, spec.replicas))


def resolve(value: IntOrString, replicas: int, *, round_up: bool) -> int:
    """A number of pods as it is, a percentage of `replicas` in whole pods."""
    if isinstance(value, int):
        return value
    share = int(value.removesuffix("%")) * replicas
    return -(-share // 100) if round_up else share // 100


def new_size(deployment: Deployment, new: ReplicaSet | None, old: tuple[ReplicaSet, ...]) -> int:
    """How many pods the new ReplicaSet gets. A pod that an old ReplicaSet is to lose takes its
    place until it is gone, and one that has not told what it has yet stops all growth, so that the
    surge is never passed."""
    wanted = deployment.spec.replicas
    size = new.spec.replicas if new is not None else 0
    total = size + sum(max(each.spec.replicas, each.status.replicas) for each in old)
    if deployment.spec.strategy.type != "RollingUpdate" or size >= wanted:
        return wanted
    room = wanted + limits(deployment).surge - total
    return size if room <= 0 or any(map(is_settling, old)) else size + min(room, wanted - size)


def is_settling(replica_set: ReplicaSet) -> bool:
    """Whether a ReplicaSet's status does not tell yet what became of its present size."""
    return replica_set.status.observed_generation < replica_set.metadata.generation


def old_sizes(
    deployment: Deployment, new: ReplicaSet | None, old: tuple[ReplicaSet, ...]
) -> dict[str, int]:
    """The sizes that old ReplicaSets are taken down to, by name: first pods that are not
    available, then as many as availability allows."""
    every = (*old, new) if new is not None else old
    total = sum(each.spec.replicas for each in every)
    least = deployment.spec.replicas - limits(deployment).unavailable
    waiting = max(0, new.spec.replicas - new.status.available_replicas) if new else 0
    budget = total - least - waiting
    if budget <= 0:
        return {}
    ordered = sorted(old, key=age)
    sizes = {each.metadata.name: each.spec.replicas for each in ordered}
    for each in ordered:
        unhealthy = max(0, each.spec.replicas - each.status.available_replicas)
        taken = min(budget, unhealthy)
        sizes[each.metadata.name] -= taken
        budget -= taken
    spare = min(budget, sum(each.status.available_replicas for each in every) - least)
    for each in ordered:
        taken = max(0, min(sizes[each.metadata.name], spare))
        sizes[each.metadata.name] -= taken
        spare -= taken
    return {
        each.metadata.name: sizes[each.metadata.name]
        for each in ordered
        if sizes[each.metadata.name] != each.spec.replicas
    }


def is_resized(deployment: Deployment, active: tuple[ReplicaSet, ...]) -> bool:
    """Whether the Deployment wants another number of pods than when it last sized them."""
    return any(
        annotated != deployment.spec.replicas
        for each in active
        if (annotated := _annotated(each, DESIRED)) is not None
    )


def proportional_sizes(deployment: Deployment, active: tuple[ReplicaSet, ...]) -> dict[str, int]:
    """Share a change of size among the active ReplicaSets; what rounding leaves goes to the
    largest of them. Pods that are still to go take their place here too, and nothing grows while
    a ReplicaSet has not told what it has: then the answer is empty."""
    allowed = deployment.spec.replicas + limits(deployment).surge if deployment.spec.replicas else 0
    missing = allowed - sum(each.spec.replicas for each in active)
    if missing > 0 and any(map(is_settling, active)):
        return {}
    if missing > 0:
        leaving = sum(max(0, each.status.replicas - each.spec.replicas) for each in active)
        missing = max(0, missing - leaving)
    newest_first = missing >= 0
    ordered = sorted(active, key=age, reverse=newest_first)
    ordered.sort(key=lambda each: -each.spec.replicas)
    sizes: dict[str, int] = {}
    given = 0
    for each in ordered:
        share = _proportion(deployment, each, allowed, missing, given)
        sizes[each.metadata.name] = each.spec.replicas + share
        given += share
    if ordered and missing != given:
        first = ordered[0].metadata.name
        sizes[first] = max(0, sizes[first] + missing - given)
    return sizes


def _proportion(
    deployment: Deployment, replica_set: ReplicaSet, allowed: int, missing: int, given: int
) -> int:
    size = replica_set.spec.replicas
    if size == 0 or missing == given:
        return 0
    if deployment.spec.replicas == 0:
        share = -size
    else:
        before = _annotated(replica_set, MAXIMUM) or deployment.status.replicas or allowed
        share = _rounded(size * allowed, before) - size
    left = missing - given
    return min(share, left) if missing > 0 else max(share, left)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _annotated(replica_set: ReplicaSet, annotation: str) -> int | None:
    text = replica_set.metadata.annotations.get(annotation, "")
    return int(text) if text.isdecimal() and len(text) <= 10 else None


def is_saturated(deployment: Deployment, new: ReplicaSet | None) -> bool:
    """Whether the new ReplicaSet alone is all that the Deployment wants."""
    wanted = deployment.spec.replicas
    return (
        new is not None
        and new.spec.replicas == wanted
        and _annotated(new, DESIRED) == wanted
        and new.status.available_replicas == wanted
    )


def size_annotations(deployment: Deployment) -> dict[str, str]:
    """What a ReplicaSet remembers of the Deployment's size when it is sized."""
    wanted = deployment.spec.replicas
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + limits(deployment).surge)}
