"""The kinds of the group `apps`: Deployment and ReplicaSet."""

import re
from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    SELECTOR,
    number,
    part,
    text,
)
from sampan.kubernetes.kinds.kind import Cause, Object, Subresource
from sampan.kubernetes.kinds.record import UPDATE_VERBS, make
from sampan.kubernetes.kinds.resource import DEPLOYMENTS, REPLICA_SETS
from sampan.kubernetes.kinds.workload import (
    check_not_negative,
    default_workload,
    workload_rules,
)
from sampan.kubernetes.machinery.causes import forbidden, invalid, unsupported

SCALE = Subresource("scale", "Scale", "autoscaling/v1", UPDATE_VERBS)
_STRATEGIES = ("Recreate", "RollingUpdate")
_PERCENT = re.compile(r"[0-9]{1,9}%")


def _default_deployment(deployment: Object) -> None:
    default_workload(deployment)
    spec = deployment["spec"]
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def _deployment_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    yield from workload_rules(new, old)
    spec = new.get("spec") or {}
    yield from check_not_negative(spec, "spec", ("revisionHistoryLimit", "progressDeadlineSeconds"))
    deadline, minimum = spec.get("progressDeadlineSeconds", 600), spec.get("minReadySeconds", 0)
    if 0 <= deadline <= minimum:
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
    for name in ("maxUnavailable", "maxSurge"):
        value = rolling.get(name, 0)
        if isinstance(value, str) and not _PERCENT.fullmatch(value):
            detail = "a valid percent string must be a numeric string followed by an ending '%' "
            detail += "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            yield invalid(f"{field}.{name}", value, detail)
        elif isinstance(value, int) and value < 0:
            yield invalid(f"{field}.{name}", value, "must be greater than or equal to 0")
    if all(rolling.get(name) in (0, "0%") for name in ("maxUnavailable", "maxSurge")):
        detail = "may not be 0 when `maxSurge` is 0"
        yield invalid(f"{field}.maxUnavailable", rolling["maxUnavailable"], detail)
    unavailable = str(rolling.get("maxUnavailable", 0))
    if _PERCENT.fullmatch(unavailable) and int(unavailable[:-1]) > 100:
        yield invalid(f"{field}.maxUnavailable", unavailable, "must not be greater than 100%")


def _prepare_replica_set(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = {"replicas": 0}


def _prepare_deployment(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = {}


DEPLOYMENT = make(
    DEPLOYMENTS,
    default=_default_deployment,
    rules=_deployment_rules,
    prepare=_prepare_deployment,
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

REPLICA_SET = make(
    REPLICA_SETS,
    default=default_workload,
    rules=workload_rules,
    prepare=_prepare_replica_set,
    status=True,
    short_names=("rs",),
    categories=("all",),
    selectable=("status.replicas",),
    subresources=(SCALE,),
    columns=(
        NAME,
        number("Desired", lambda obj: part(obj, "spec", "replicas") or 0, about="Replicas wanted."),
        number(
            "Current", lambda obj: part(obj, "status", "replicas") or 0, about="Replicas there."
        ),
        number(
            "Ready",
            lambda obj: part(obj, "status", "readyReplicas") or 0,
            about="Replicas that are ready.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
)
