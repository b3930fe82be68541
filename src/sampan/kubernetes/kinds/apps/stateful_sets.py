"""StatefulSet: pods with a name and a storage of their own each."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, CONTAINERS, IMAGES, NAME, part, text
from sampan.kubernetes.kinds.core.persistent_volume_claims import default_claim
from sampan.kubernetes.kinds.int_or_percent import (
    check_at_most_all,
    check_int_or_percent,
    is_nothing,
)
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import STATEFUL_SETS
from sampan.kubernetes.kinds.workload import (
    HISTORY_LIMIT,
    SCALE,
    check_kept_template,
    check_not_negative,
    check_selector,
    default_workload,
)
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported

_MANAGEMENT = ("OrderedReady", "Parallel")
_RETENTION = ("Retain", "Delete")
_CHANGEABLE = frozenset(
    (
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    )
)
_UPDATE_REFUSED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
    "'minReadySeconds' are forbidden"
)


def _default(stateful_set: Object) -> None:
    """pkg/apis/apps/v1 SetDefaults_StatefulSet."""
    default_workload(stateful_set)
    spec = stateful_set["spec"]
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    spec.setdefault("revisionHistoryLimit", HISTORY_LIMIT)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
        default_claim(claim)


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = {"replicas": 0, "availableReplicas": 0}


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """pkg/apis/apps/validation ValidateStatefulSet and ValidateStatefulSetUpdate."""
    spec = new.get("spec") or {}
    policy = spec.get("podManagementPolicy", "")
    if policy not in _MANAGEMENT:
        detail = "must be 'OrderedReady' or 'Parallel'"
        yield invalid("spec.podManagementPolicy", policy, detail)
    yield from _check_strategy(spec.get("updateStrategy") or {})
    for name, value in (spec.get("persistentVolumeClaimRetentionPolicy") or {}).items():
        if value not in _RETENTION:
            field = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
            yield unsupported(field, value, _RETENTION)
    numbers = ("replicas", "minReadySeconds", "revisionHistoryLimit")
    yield from check_not_negative(spec, "spec", numbers)
    yield from check_not_negative(spec.get("ordinals") or {}, "spec.ordinals", ("start",))
    yield from check_selector(spec, new["kind"])
    yield from check_kept_template(spec.get("template") or {}, "spec.template", new["kind"])
    before = (old or {}).get("spec") or {}
    if spec.get("serviceName") and spec["serviceName"] != before.get("serviceName"):
        for message in names.label_1035(spec["serviceName"]):
            yield invalid("spec.serviceName", spec["serviceName"], message)
    if old is not None and _fixed(spec) != _fixed(before):
        yield forbidden("spec", _UPDATE_REFUSED)


def _check_strategy(strategy: Object) -> Iterator[Cause]:
    field = "spec.updateStrategy"
    kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
    if not kind:
        yield required(field)
    elif kind == "OnDelete":
        if rolling is not None:
            detail = "only allowed for updateStrategy 'RollingUpdate'"
            yield invalid(f"{field}.rollingUpdate", rolling, detail)
    elif kind != "RollingUpdate":
        yield invalid(field, strategy, "must be 'RollingUpdate' or 'OnDelete'")
    elif rolling is not None:
        yield from check_not_negative(rolling, f"{field}.rollingUpdate", ("partition",))
        most = rolling.get("maxUnavailable")
        if most is not None:
            path = f"{field}.rollingUpdate.maxUnavailable"
            yield from check_int_or_percent(most, path)
            if is_nothing(most):
                yield invalid(path, most, "cannot be 0")
            yield from check_at_most_all(most, path)


def _fixed(spec: Object) -> Object:
    return {key: value for key, value in spec.items() if key not in _CHANGEABLE}


STATEFUL_SET = make(
    STATEFUL_SETS,
    default=_default,
    rules=_rules,
    prepare=_prepare,
    status=True,
    short_names=("sts",),
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
        AGE,
        CONTAINERS,
        IMAGES,
    ),
)
