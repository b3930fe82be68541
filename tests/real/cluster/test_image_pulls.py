"""Pods whose images lie in a registry that wants a password."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.harness import Cluster, eventually

NEEDED = ("docker", "docker-registry", "htpasswd")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason=f"needs {', '.join(NEEDED)}"),
]
HOST = "127.0.0.1:5000"
NAME = f"{HOST}/team/hello:1"
CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/blobs}}}}
http: {{addr: "127.0.0.1:5000", secret: none}}
auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}
"""
# "me:secret", as docker writes it.
KNOWN = {"auths": {HOST: {"auth": "bWU6c2VjcmV0"}}}
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default, labels: {{app: pulled}}}}
spec:
  terminationGracePeriodSeconds: 0
  imagePullSecrets: [{secrets}]
  containers:
    - name: main
      image: {image}
      imagePullPolicy: {policy}
      command: [sh, -c, "while true; do sleep 1; done"]
"""


@pytest.fixture
def registry(cluster: Cluster, tmp_path: Path) -> Iterator[None]:
    """It has NAME, and the machine has it no more."""
    table = subprocess.run(["htpasswd", "-Bbn", "me", "secret"], capture_output=True, check=True)
    (tmp_path / "htpasswd").write_bytes(table.stdout)
    (tmp_path / "config.yml").write_text(CONFIGURATION.format(folder=tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(KNOWN))
    serve = ("docker-registry", "serve", str(tmp_path / "config.yml"))
    process = subprocess.Popen(
        cluster.namespaces.command(*serve), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def answers() -> bool:
        return "UNAUTHORIZED" in cluster.run("curl", "-s", f"http://{HOST}/v2/").stdout

    try:
        eventually(answers, 10, "a registry")
        for words in (("tag", "hello:1", NAME), ("push", NAME), ("rmi", NAME)):
            docker(cluster, tmp_path, *words)
        yield
    finally:
        cluster.kubectl("delete", "pods", "-l", "app=pulled", "--wait=true", "--timeout=30s")
        cluster.kubectl("delete", "secret", "known", "--ignore-not-found")
        process.kill()
        process.wait()
        docker(cluster, tmp_path, "rmi", "-f", NAME, check=False)


def docker(cluster: Cluster, folder: Path, *words: str, check: bool = True) -> None:
    environment = os.environ | {
        "DOCKER_HOST": f"unix://{cluster.instance.run_folder}/docker.sock",
        "DOCKER_CONFIG": str(folder),
    }
    done = subprocess.run(
        ["docker", *words], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert not check or done.returncode == 0, done.stderr


def waiting(cluster: Cluster, name: str) -> str:
    statuses = cluster.get("pod", name)["status"].get("containerStatuses", [{}])
    reason: str = statuses[0].get("state", {}).get("waiting", {}).get("reason", "")
    return reason


def test_secrets_let_a_pod_have_its_image(cluster: Cluster, registry: None) -> None:
    del registry
    cluster.apply(POD.format(name="stranger", image=NAME, policy="IfNotPresent", secrets=""))
    eventually(lambda: waiting(cluster, "stranger") == "ErrImagePull", 20, "a refused pull")
    message = cluster.get("pod", "stranger")["status"]["containerStatuses"][0]["state"]["waiting"]
    assert "no basic auth credentials" in message["message"]

    secret = json.dumps(KNOWN)
    cluster.apply(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: known, namespace: default}\n"
        f"type: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: '{secret}'}}\n"
    )
    for name, policy in (("known", "IfNotPresent"), ("always", "Always")):
        cluster.apply(POD.format(name=name, image=NAME, policy=policy, secrets="{name: known}"))
        eventually(
            lambda name=name: cluster.get("pod", name)["status"]["phase"] == "Running",
            20,
            f"pod {name} running",
        )
    events = cluster.get("events", "--field-selector", "involvedObject.name=known")["items"]
    told = [event["message"] for event in events]
    assert f'Pulling image "{NAME}"' in told
    assert any(text.startswith(f'Successfully pulled image "{NAME}" in ') for text in told)
    # What one pod's secret has brought, others find on the node: IfNotPresent asks nobody.
    eventually(
        lambda: cluster.get("pod", "stranger")["status"]["phase"] == "Running", 30, "the stranger"
    )
