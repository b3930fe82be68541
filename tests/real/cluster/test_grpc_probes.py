"""A pod is ready when its gRPC server says so, and no longer when it says otherwise."""

import json
from collections.abc import Iterator

import pytest
from tests.real.harness import Cluster, eventually, is_ready

pytestmark = pytest.mark.real

# As much of HTTP/2 as the answer takes: what the client sends isn't looked at.
SERVER = r"""
import os, socket, struct
def frame(kind, flags, stream, payload):
    return struct.pack('>BHBBI', 0, len(payload), kind, flags, stream) + payload
listener = socket.create_server(('0.0.0.0', 9090))
while True:
    connection, _ = listener.accept()
    try:
        connection.recv(4096)
        status = 2 if os.path.exists('/tmp/ill') else 1
        message = b'\0\0\0\0\2\x08' + bytes([status])
        connection.sendall(frame(4, 0, 0, b'') + frame(0, 0, 1, message))
        connection.recv(4096)
    except OSError:
        pass
    connection.close()
"""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "health", "namespace": "default"},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "main",
                "image": "hello:1",
                "command": ["python3", "-I", "-S", "-c", SERVER],
                "readinessProbe": {
                    "grpc": {"port": 9090, "service": "shop"},
                    "periodSeconds": 1,
                    "failureThreshold": 1,
                },
            }
        ],
    },
}


@pytest.fixture
def health(cluster: Cluster) -> Iterator[Cluster]:
    """A pod whose server can be made ill."""
    cluster.apply(json.dumps(POD))
    yield cluster
    cluster.kubectl("delete", "pod", "health", "--now")


def test_readiness_follows_the_health_that_is_served(health: Cluster) -> None:
    eventually(lambda: is_ready(health.get("pod", "health")), 20, "it is ready")
    health.kubectl("exec", "health", "--", "sh", "-c", "echo > /tmp/ill")
    eventually(lambda: not is_ready(health.get("pod", "health")), 10, "it isn't ready")
    told = health.kubectl("get", "events", "--field-selector=involvedObject.name=health").stdout
    assert 'service unhealthy (responded with "NOT_SERVING")' in told
    health.kubectl("exec", "health", "--", "rm", "/tmp/ill")
    eventually(lambda: is_ready(health.get("pod", "health")), 10, "it is ready again")
