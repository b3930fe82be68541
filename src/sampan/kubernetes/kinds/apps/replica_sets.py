"""ReplicaSet: so many pods of one template."""

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    SELECTOR,
    number,
    part,
)
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import REPLICA_SETS
from sampan.kubernetes.kinds.workload import SCALE, default_workload, workload_rules


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = {"replicas": 0}


REPLICA_SET = make(
    REPLICA_SETS,
    default=default_workload,
    rules=workload_rules,
    prepare=_prepare,
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
