"""Pod: the containers that run together on one node."""

from collections.abc import Iterable

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.core.pod_columns import COLUMNS
from sampan.kubernetes.kinds.core.pod_defaults import default_pod
from sampan.kubernetes.kinds.core.pod_quality import quality_of_service
from sampan.kubernetes.kinds.core.pod_subresources import (
    ephemeral_container_rules,
    prepare_ephemeral_containers,
    prepare_resize,
    resize_rules,
)
from sampan.kubernetes.kinds.core.pod_validation import pod_rules
from sampan.kubernetes.kinds.kind import Object, Subresource
from sampan.kubernetes.kinds.record import PROXY_VERBS, UPDATE_VERBS, make
from sampan.kubernetes.kinds.resource import PODS


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        quality = quality_of_service(new.get("spec") or {})
        new["status"] = {"phase": "Pending", "qosClass": quality}


def _connect(name: str, kind: str, verbs: Iterable[str] = ("create", "get")) -> Subresource:
    return Subresource(name, kind, "v1", tuple(verbs))


POD = make(
    PODS,
    default=default_pod,
    rules=pod_rules,
    prepare=_prepare,
    prepare_status=strategies.status_with_labels,
    status=True,
    short_names=("po",),
    categories=("all",),
    selectable=(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    subresources=(
        _connect("log", "Pod", ("get",)),
        _connect("exec", "PodExecOptions"),
        _connect("attach", "PodAttachOptions"),
        _connect("portforward", "PodPortForwardOptions"),
        _connect("proxy", "PodProxyOptions", PROXY_VERBS),
        _connect("binding", "Binding", ("create",)),
        Subresource("eviction", "Eviction", "policy/v1", ("create",)),
        Subresource(
            "ephemeralcontainers",
            "Pod",
            "v1",
            UPDATE_VERBS,
            prepare=prepare_ephemeral_containers,
            rules=ephemeral_container_rules,
            alone=True,
        ),
        Subresource(
            "resize",
            "Pod",
            "v1",
            UPDATE_VERBS,
            prepare=prepare_resize,
            rules=resize_rules,
            alone=True,
        ),
    ),
    columns=COLUMNS,
)
