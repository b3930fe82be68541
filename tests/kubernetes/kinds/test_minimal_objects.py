"""What holds for the smallest right object of every kind of the core and the workload groups."""

from typing import Any

import msgspec
import pytest

from sampan.kubernetes.kinds.all import ALL
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.schema import structure

LABELS = {"app": "web"}
SELECTOR = {"matchLabels": LABELS}
CONTAINER = {"name": "main", "image": "hello:1"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
ONCE = {
    "metadata": {"labels": LABELS},
    "spec": {"containers": [CONTAINER], "restartPolicy": "Never"},
}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
MINIMAL: dict[str, dict[str, Any]] = {
    "Namespace": {},
    "Node": {},
    "Pod": {"spec": {"containers": [CONTAINER]}},
    "Service": {"spec": {"ports": [{"port": 80}]}},
    "ConfigMap": {},
    "Secret": {},
    "ServiceAccount": {},
    "Endpoints": {},
    "LimitRange": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},
    "ResourceQuota": {"spec": {"hard": {"pods": "10"}}},
    "PersistentVolume": {
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/data"},
        }
    },
    "PersistentVolumeClaim": {"spec": CLAIM},
    "PodTemplate": {"template": TEMPLATE},
    "ReplicationController": {"spec": {"template": TEMPLATE}},
    "Deployment": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "ReplicaSet": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "StatefulSet": {
        "spec": {
            "selector": SELECTOR,
            "template": TEMPLATE,
            "serviceName": "web",
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}],
        }
    },
    "DaemonSet": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "ControllerRevision": {"data": {}, "revision": 1},
    "Job": {"spec": {"template": ONCE}},
    "CronJob": {"spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": ONCE}}}},
    "HorizontalPodAutoscaler": {
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3}
    },
    "PodDisruptionBudget": {"spec": {"selector": SELECTOR, "minAvailable": 1}},
    "PriorityClass": {"value": 1000},
    "RuntimeClass": {"handler": "crun"},
}
GROUPS = (
    "",
    "apps",
    "batch",
    "autoscaling",
    "policy",
    "scheduling.k8s.io",
    "node.k8s.io",
)
KINDS = [kind for kind in ALL if kind.resource.group in GROUPS and kind.resource.kind in MINIMAL]


def _identifier(kind: Kind) -> str:
    return f"{kind.resource.group_version}/{kind.resource.kind}"


def _created(kind: Kind) -> dict[str, Any]:
    """A new object as the server has it before validation."""
    metadata: dict[str, Any] = {
        "name": "web",
        "uid": "9a7d1f3c-0c31-4a5e-9b7e-2b6d1f1f4c1a",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    if kind.resource.namespaced:
        metadata["namespace"] = "default"
    tree = {
        "apiVersion": kind.resource.group_version,
        "kind": kind.resource.kind,
        "metadata": metadata,
        **MINIMAL[kind.resource.kind],
    }
    return _copied(tree)


def _copied(tree: dict[str, Any]) -> dict[str, Any]:
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(tree))
    return copied


def test_every_stored_kind_of_these_groups_has_a_minimal_object() -> None:
    kinds = {kind.resource.kind for kind in ALL if kind.resource.group in GROUPS and kind.stored}
    assert kinds - MINIMAL.keys() <= {"Event", "ComponentStatus"}


@pytest.mark.parametrize("kind", KINDS, ids=_identifier)
def test_a_minimal_object_is_right(kind: Kind) -> None:
    tree = _created(kind)
    findings = structure.check(kind.definition, tree)
    assert (findings.unknown, findings.causes) == ([], [])
    kind.default(tree)
    kind.prepare(tree, None)
    assert kind.validate(tree, None) == []


@pytest.mark.parametrize("kind", KINDS, ids=_identifier)
def test_defaults_are_idempotent_and_hold_to_the_schema(kind: Kind) -> None:
    tree = _created(kind)
    structure.check(kind.definition, tree)
    kind.default(tree)
    once = _copied(tree)
    findings = structure.check(kind.definition, tree)
    assert (findings.unknown, findings.causes) == ([], [])
    kind.default(tree)
    assert tree == once


@pytest.mark.parametrize("kind", KINDS, ids=_identifier)
def test_the_same_object_again_changes_nothing(kind: Kind) -> None:
    old = _created(kind)
    kind.default(old)
    kind.prepare(old, None)
    new = _copied(old)
    kind.default(new)
    kind.prepare(new, old)
    assert new == old
    assert kind.validate(new, old) == []


@pytest.mark.parametrize("kind", KINDS, ids=_identifier)
def test_a_status_can_be_written_and_changes_nothing_else(kind: Kind) -> None:
    if kind.subresource("status") is None:
        pytest.skip("no status")
    old = _created(kind)
    kind.default(old)
    kind.prepare(old, None)
    new = _copied(old)
    new["spec"] = {}
    new["status"] = {"conditions": []}
    kind.strategy("status")(new, old)
    assert new["spec"] == old["spec"]
    assert new["status"] == {"conditions": []}
