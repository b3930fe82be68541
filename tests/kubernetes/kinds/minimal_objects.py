"""The smallest right object of every kind of the core and the workload groups."""

from typing import Any

import msgspec

from sampan.kubernetes.kinds.all import ALL
from sampan.kubernetes.kinds.kind import Kind

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


def identifier(kind: Kind) -> str:
    return f"{kind.resource.group_version}/{kind.resource.kind}"


def created(kind: Kind) -> dict[str, Any]:
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
    return copied(tree)


def copied(tree: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(tree))
    return copy
