"""Objects as a test or a simulation writes them: whole, valid, and as small as may be."""

from typing import Any

Object = dict[str, Any]
CREATED = "2026-01-01T00:00:00Z"


def pod_template(version: str = "1", labels: dict[str, str] | None = None) -> Object:
    """The template of a pod with one container; `version` tells templates apart."""
    container = {
        "name": "main",
        "image": f"example:{version}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    return {"metadata": {"labels": labels or {"app": "web"}}, "spec": {"containers": [container]}}


def deployment(
    name: str = "web",
    replicas: int = 3,
    version: str = "1",
    namespace: str = "default",
    **spec: Any,
) -> Object:
    """A Deployment as a user writes it; `spec` adds to or replaces fields of its spec."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": pod_template(version, labels),
            **spec,
        },
    }


def service(name: str = "web", namespace: str = "default", **spec: Any) -> Object:
    """A Service in front of the pods with the label app=NAME."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
            **spec,
        },
    }


def pod(
    name: str = "web-1",
    namespace: str = "default",
    *,
    node: str = "",
    labels: dict[str, str] | None = None,
    owner: Object | None = None,
    ready: bool = False,
    phase: str = "",
    deleting: bool = False,
    created: str = CREATED,
    **spec: Any,
) -> Object:
    """A pod as the API shows it; `owner` is an ownerReference."""
    template = pod_template(labels=labels)
    metadata: Object = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "resourceVersion": "1",
        "creationTimestamp": created,
        "labels": template["metadata"]["labels"],
    }
    if owner is not None:
        metadata["ownerReferences"] = [owner]
    if deleting:
        metadata["deletionTimestamp"] = CREATED
    status: Object = {"phase": phase or ("Running" if node else "Pending")}
    if ready:
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": CREATED}
        status |= {"conditions": [condition], "podIP": "10.42.0.9", "podIPs": [{"ip": "10.42.0.9"}]}
    bound = {"nodeName": node} if node else {}
    return {"metadata": metadata, "spec": {**template["spec"], **bound, **spec}, "status": status}


def node(
    name: str = "node-1",
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    labels: dict[str, str] | None = None,
    ready: str = "True",
    **spec: Any,
) -> Object:
    """A node as the API shows it; `ready` is the status of its Ready condition, empty for none."""
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods, "ephemeral-storage": "100Gi"}
    status: Object = {"allocatable": allocatable, "capacity": allocatable}
    if ready:
        status["conditions"] = [
            {"type": "Ready", "status": ready, "lastTransitionTime": CREATED, "reason": "Told"}
        ]
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": "1",
            "labels": {"kubernetes.io/hostname": name, **(labels or {})},
        },
        "spec": spec,
        "status": status,
    }
