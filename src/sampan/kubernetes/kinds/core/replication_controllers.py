"""ReplicationController: what ReplicaSets were before there were selectors with operators."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    label_pairs,
    number,
    part,
    text,
)
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_labels
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import REPLICATION_CONTROLLERS
from sampan.kubernetes.kinds.workload import (
    SCALE,
    check_kept_template,
    check_match,
    check_not_negative,
    default_workload,
)
from sampan.kubernetes.machinery.causes import required


def _default(controller: Object) -> None:
    """pkg/apis/core/v1 SetDefaults_ReplicationController: labels come from the template."""
    default_workload(controller)
    spec = controller["spec"]
    labels = spec["template"]["metadata"].get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        metadata = controller.setdefault("metadata", {})
        if not metadata.get("labels"):
            metadata["labels"] = dict(labels)


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = {"replicas": 0}


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    """pkg/apis/core/validation ValidateReplicationControllerSpec."""
    spec = new.get("spec") or {}
    yield from check_not_negative(spec, "spec", ("replicas", "minReadySeconds"))
    selector = spec.get("selector") or {}
    if not selector:
        yield required("spec.selector")
    causes = list(check_labels(selector, "spec.selector"))
    yield from causes
    if selector and not causes:
        yield from check_match({"matchLabels": selector}, spec.get("template") or {})
    yield from check_kept_template(spec.get("template") or {}, "spec.template", new["kind"])


REPLICATION_CONTROLLER = make(
    REPLICATION_CONTROLLERS,
    default=_default,
    rules=_rules,
    prepare=_prepare,
    status=True,
    short_names=("rc",),
    categories=("all",),
    selectable=("status.replicas",),
    subresources=(SCALE,),
    columns=(
        NAME,
        number("Desired", lambda it: part(it, "spec", "replicas") or 0, about="Replicas wanted."),
        number("Current", lambda it: part(it, "status", "replicas") or 0, about="Replicas there."),
        number(
            "Ready",
            lambda it: part(it, "status", "readyReplicas") or 0,
            about="Replicas that are ready.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        text(
            "Selector", lambda it: label_pairs(part(it, "spec", "selector")), 1, "The pods' labels."
        ),
    ),
)
