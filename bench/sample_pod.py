"""A pod as they are in real clusters: about 4 KB once its defaults are filled in."""

from collections.abc import Mapping

import msgspec

NAMESPACE = "bench"
ON_A_NODE = {"nodeName": "node-1"}
LEFT_ALONE = {"schedulerName": "nobody"}
# Pods come from templates, of which a cluster has dozens.
_TEMPLATES = 20


def pod_body(number: int, placed: Mapping[str, str] = ON_A_NODE) -> bytes:
    """The JSON of `pod-NUMBER`; `placed` is by which fields no scheduler need look at it."""
    labels = {"app": f"app-{number % _TEMPLATES}", "number": str(number), "tier": "backend"}
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}
    container = {
        "image": f"registry.example.org/team/service-{number % _TEMPLATES}:1.2.3",
        "env": [{"name": f"SETTING_{index}", "value": f"value-{index}"} for index in range(8)],
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "500m", "memory": "128Mi"},
        },
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
    return msgspec.json.encode(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"pod-{number}",
                "labels": labels,
                "annotations": {"example.org/owner": "a team that wrote down who it is"},
            },
            "spec": {
                **placed,
                "containers": [{"name": "service", **container}, {"name": "sidecar", **container}],
            },
        }
    )
