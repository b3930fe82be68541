"""Deployment: replicas of one template, and how a new one takes the place of the old."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    SELECTOR,
    part,
    text,
)
from sampan.kubernetes.kinds.int_or_percent import (
    check_at_most_all,
    check_int_or_percent,
    is_nothing,
)
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import DEPLOYMENTS
from sampan.kubernetes.kinds.workload import (
    HISTORY_LIMIT,
    SCALE,
    check_not_negative,
    default_workload,
    workload_rules,
)
from sampan.kubernetes.machinery.causes import forbidden, invalid, unsupported

_STRATEGIES = ("Recreate", "RollingUpdate")
_PROGRESS_SECONDS = 600
_SHARE = "25%"


def _default(deployment: Object) -> None:
    """pkg/apis/apps/v1 SetDefaults_Deployment."""
    default_workload(deployment)
    spec = deployment["spec"]
    spec.setdefault("revisionHistoryLimit", HISTORY_LIMIT)
    spec.setdefault("progressDeadlineSeconds", _PROGRESS_SECONDS)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", _SHARE)
        rolling.setdefault("maxSurge", _SHARE)


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """pkg/apis/apps/validation ValidateDeployment and ValidateDeploymentUpdate."""
    yield from workload_rules(new, old)
    spec = new.get("spec") or {}
    yield from check_not_negative(spec, "spec", ("revisionHistoryLimit", "progressDeadlineSeconds"))
    deadline = spec.get("progressDeadlineSeconds", _PROGRESS_SECONDS)
    if 0 <= deadline <= spec.get("minReadySeconds", 0):
        detail = "must be greater than minReadySeconds"
        yield invalid("spec.progressDeadlineSeconds", deadline, detail)
    strategy = spec.get("strategy") or {}
    if strategy.get("type") not in _STRATEGIES:
        yield unsupported("spec.strategy.type", strategy.get("type", ""), _STRATEGIES)
    elif strategy["type"] == "Recreate":
        if "rollingUpdate" in strategy:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            yield forbidden("spec.strategy.rollingUpdate", detail)
    else:
        yield from _check_rolling(strategy.get("rollingUpdate") or {})


def _check_rolling(rolling: Object) -> Iterator[Cause]:
    field = "spec.strategy.rollingUpdate"
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    yield from check_int_or_percent(unavailable, f"{field}.maxUnavailable")
    yield from check_int_or_percent(surge, f"{field}.maxSurge")
    if is_nothing(unavailable) and is_nothing(surge):
        detail = "may not be 0 when `maxSurge` is 0"
        yield invalid(f"{field}.maxUnavailable", unavailable, detail)
    yield from check_at_most_all(unavailable, f"{field}.maxUnavailable")


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = {}


DEPLOYMENT = make(
    DEPLOYMENTS,
    default=_default,
    rules=_rules,
    prepare=_prepare,
    status=True,
    short_names=("deploy",),
    categories=("all",),
    subresources=(SCALE,),
    columns=(
        NAME,
        text(
            "Ready",
            lambda obj: (
                f"{part(obj, 'status', 'readyReplicas') or 0}/{part(obj, 'spec', 'replicas') or 0}"
            ),
            about="Number of the pod with ready state",
        ),
        text(
            "Up-to-date",
            lambda obj: part(obj, "status", "updatedReplicas") or 0,
            about="Replicas that have the desired template.",
        ),
        text(
            "Available",
            lambda obj: part(obj, "status", "availableReplicas") or 0,
            about="Replicas that have been ready for at least minReadySeconds.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
)
