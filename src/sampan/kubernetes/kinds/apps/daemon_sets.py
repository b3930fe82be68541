"""DaemonSet: one pod on every node that fits."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    SELECTOR,
    label_pairs,
    number,
    part,
    text,
)
from sampan.kubernetes.kinds.core.pod_defaults import default_template
from sampan.kubernetes.kinds.int_or_percent import (
    check_at_most_all,
    check_int_or_percent,
    is_nothing,
)
from sampan.kubernetes.kinds.kind import Cause, Column, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import DAEMON_SETS
from sampan.kubernetes.kinds.workload import HISTORY_LIMIT, check_not_negative, workload_rules
from sampan.kubernetes.machinery.causes import invalid, required, unsupported

_STRATEGIES = ("OnDelete", "RollingUpdate")
_COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")


def _default(daemon_set: Object) -> None:
    """pkg/apis/apps/v1 SetDefaults_DaemonSet."""
    spec = daemon_set.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", HISTORY_LIMIT)


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = dict.fromkeys(_COUNTS, 0)


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """pkg/apis/apps/validation ValidateDaemonSet and ValidateDaemonSetUpdate."""
    yield from workload_rules(new, old)
    spec = new.get("spec") or {}
    yield from check_not_negative(spec, "spec", ("revisionHistoryLimit",))
    strategy = spec.get("updateStrategy") or {}
    kind = strategy.get("type", "")
    if kind not in _STRATEGIES:
        yield unsupported("spec.updateStrategy.type", kind, _STRATEGIES)
    elif kind == "RollingUpdate":
        if strategy.get("rollingUpdate") is None:
            yield required("spec.updateStrategy.rollingUpdate")
        else:
            yield from _check_rolling(strategy["rollingUpdate"])


def _check_rolling(rolling: Object) -> Iterator[Cause]:
    field = "spec.updateStrategy.rollingUpdate"
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    for name, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        yield from check_int_or_percent(value, f"{field}.{name}")
        yield from check_at_most_all(value, f"{field}.{name}")
    if not is_nothing(unavailable) and not is_nothing(surge):
        yield invalid(f"{field}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")
    elif is_nothing(unavailable) and is_nothing(surge):
        yield required(f"{field}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def _count(name: str, key: str, about: str) -> Column:
    return number(name, lambda obj: part(obj, "status", key) or 0, about=about)


DAEMON_SET = make(
    DAEMON_SETS,
    default=_default,
    rules=_rules,
    prepare=_prepare,
    status=True,
    short_names=("ds",),
    categories=("all",),
    columns=(
        NAME,
        _count("Desired", "desiredNumberScheduled", "Nodes that should run the pod."),
        _count("Current", "currentNumberScheduled", "Nodes that should run the pod and do."),
        _count("Ready", "numberReady", "Nodes whose pod is ready."),
        _count("Up-to-date", "updatedNumberScheduled", "Nodes that run the current template."),
        _count("Available", "numberAvailable", "Nodes whose pod has been ready long enough."),
        text(
            "Node Selector",
            lambda obj: label_pairs(part(obj, "spec", "template", "spec", "nodeSelector")),
            about="The labels of the nodes that run the pod.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
)
