"""What a Deployment's status says: its counts, and the conditions Available and Progressing,
with the reasons that `kubectl rollout status` waits for. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from sampan.control.controllers.deployment_revisions import Generations
from sampan.control.controllers.deployment_scaling import limits
from sampan.control.controllers.views import Condition, Deployment, condition
from sampan.kubernetes.machinery import timestamps

_NO_DEADLINE = 2**31 - 1
COMPLETE = "NewReplicaSetAvailable"
EXCEEDED = "ProgressDeadlineExceeded"


class Counts(msgspec.Struct, frozen=True, rename="camel"):
    """The numbers of a status."""

    observed_generation: int
    replicas: int
    updated_replicas: int
    ready_replicas: int
    available_replicas: int
    unavailable_replicas: int
    terminating_replicas: int


def counts(deployment: Deployment, replica_sets: Generations) -> Counts:
    """Sum up what the ReplicaSets say of themselves."""
    every = replica_sets.every
    replicas = sum(each.status.replicas for each in every)
    available = sum(each.status.available_replicas for each in every)
    new = replica_sets.new
    wanted = sum(each.spec.replicas for each in every)
    return Counts(
        observed_generation=deployment.metadata.generation,
        replicas=replicas,
        updated_replicas=new.status.replicas if new is not None else 0,
        ready_replicas=sum(each.status.ready_replicas for each in every),
        available_replicas=available,
        unavailable_replicas=max(0, wanted - available),
        terminating_replicas=sum(each.status.terminating_replicas for each in every),
    )


def is_complete(deployment: Deployment, present: Counts) -> bool:
    """Whether all pods are new ones and available, and no old one is left."""
    wanted = deployment.spec.replicas
    return present.updated_replicas == present.replicas == present.available_replicas == wanted


def status(
    deployment: Deployment, replica_sets: Generations, *, resumed: bool, now: datetime
) -> dict[str, Any]:
    """The whole status. `resumed` tells that something was done for the rollout just now."""
    present = counts(deployment, replica_sets)
    conditions = {each.type: each for each in deployment.status.conditions}
    conditions["Available"] = _available(deployment, present, now)
    progress = _progressing(deployment, replica_sets, present, resumed, now)
    conditions.pop("Progressing", None)
    if progress is not None:
        conditions["Progressing"] = progress
    conditions.pop("ReplicaFailure", None)
    failure = _failure(replica_sets)
    if failure is not None:
        conditions["ReplicaFailure"] = failure
    result: dict[str, Any] = msgspec.to_builtins(present)
    if deployment.status.collision_count:
        result["collisionCount"] = deployment.status.collision_count
    result["conditions"] = [msgspec.to_builtins(each) for each in conditions.values()]
    return result


def present_status(deployment: Deployment) -> dict[str, Any]:
    """The status as it stands, in the form that `status` gives."""
    has = deployment.status
    result: dict[str, Any] = msgspec.to_builtins(
        Counts(
            observed_generation=has.observed_generation,
            replicas=has.replicas,
            updated_replicas=has.updated_replicas,
            ready_replicas=has.ready_replicas,
            available_replicas=has.available_replicas,
            unavailable_replicas=has.unavailable_replicas,
            terminating_replicas=has.terminating_replicas,
        )
    )
    if has.collision_count:
        result["collisionCount"] = has.collision_count
    result["conditions"] = [msgspec.to_builtins(each) for each in has.conditions]
    return result


class _Verdict(msgspec.Struct, frozen=True):
    """What a condition says, without since when."""

    type: str
    status: str
    reason: str
    message: str


_ENOUGH = _Verdict(
    "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
)
_TOO_FEW = _Verdict(
    "Available",
    "False",
    "MinimumReplicasUnavailable",
    "Deployment does not have minimum availability.",
)
_PAUSED = _Verdict("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
_RESUMED = _Verdict("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")


def _available(deployment: Deployment, present: Counts, now: datetime) -> Condition:
    least = deployment.spec.replicas - limits(deployment).unavailable
    return _set(deployment, _ENOUGH if present.available_replicas >= least else _TOO_FEW, now)


def _progressing(  # noqa: PLR0911 - one return a state of the rollout reads best
    deployment: Deployment,
    replica_sets: Generations,
    present: Counts,
    resumed: bool,
    now: datetime,
) -> Condition | None:
    deadline = deployment.spec.progress_deadline_seconds
    if deadline is None or deadline >= _NO_DEADLINE:
        return None
    current = condition(deployment.status.conditions, "Progressing")
    if deployment.spec.paused:
        return _set(deployment, _PAUSED, now)
    if current is not None and current.reason == _PAUSED.reason:
        return _set(deployment, _RESUMED, now)
    name = replica_sets.new.metadata.name if replica_sets.new is not None else ""
    subject = f'ReplicaSet "{name}"' if name else f'Deployment "{deployment.metadata.name}"'
    if is_complete(deployment, present):
        text = f"{subject} has successfully progressed."
        return _set(deployment, _Verdict("Progressing", "True", COMPLETE, text), now)
    was_complete = current is not None and current.reason == COMPLETE
    if current is not None and was_complete and present.updated_replicas == present.replicas:
        return current
    if resumed or current is None or _has_progressed(deployment, present):
        text = f"{subject} is progressing."
        verdict = _Verdict("Progressing", "True", "ReplicaSetUpdated", text)
        return _set(deployment, verdict, now, renew=True)
    if current.reason == EXCEEDED or seconds_to_deadline(deployment, now) == 0:
        text = f"{subject} has timed out progressing."
        return _set(deployment, _Verdict("Progressing", "False", EXCEEDED, text), now)
    return current


def _has_progressed(deployment: Deployment, present: Counts) -> bool:
    before = deployment.status
    return (
        present.updated_replicas > before.updated_replicas
        or present.replicas - present.updated_replicas < before.replicas - before.updated_replicas
        or present.ready_replicas > before.ready_replicas
        or present.available_replicas > before.available_replicas
    )


def seconds_to_deadline(deployment: Deployment, now: datetime) -> float | None:
    """The time that a rollout has left to make progress; None when none is awaited."""
    deadline = deployment.spec.progress_deadline_seconds
    current = condition(deployment.status.conditions, "Progressing")
    if deadline is None or deadline >= _NO_DEADLINE or current is None:
        return None
    if current.reason in (COMPLETE, EXCEEDED, "DeploymentPaused"):
        return None
    since = current.last_update_time or current.last_transition_time
    if since is None:
        return None
    return max(0.0, deadline - (now - timestamps.parse(since)).total_seconds())


def _failure(replica_sets: Generations) -> Condition | None:
    newest_first = (*((replica_sets.new,) if replica_sets.new else ()), *replica_sets.old)
    found = (condition(each.status.conditions, "ReplicaFailure") for each in newest_first)
    return next((each for each in found if each is not None), None)


def _set(
    deployment: Deployment, verdict: _Verdict, now: datetime, *, renew: bool = False
) -> Condition:
    """A condition; the present one when it says the same already, unless its time of update is
    to be renewed."""
    current = condition(deployment.status.conditions, verdict.type)
    same = current is not None and current.status == verdict.status
    if current is not None and same and current.reason == verdict.reason and not renew:
        return current
    moment = timestamps.to_seconds(now)
    return Condition(
        type=verdict.type,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        last_transition_time=current.last_transition_time if current and same else moment,
        last_update_time=moment,
    )
