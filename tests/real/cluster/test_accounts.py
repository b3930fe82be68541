"""What a container finds of its service account, and what the API makes of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.real.harness import Cluster, eventually, is_ready

pytestmark = pytest.mark.real

FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
POD = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: accounts}
---
apiVersion: v1
kind: Pod
metadata: {name: holder, namespace: accounts}
spec:
  serviceAccountName: robot
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: hello:1
      command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 0.1; done"]
      volumeMounts: [{name: vault, mountPath: /vault}]
  volumes:
    - name: vault
      projected:
        sources: [{serviceAccountToken: {path: token, audience: vault, expirationSeconds: 700}}]
"""


@pytest.fixture(scope="module")
def accounts(cluster: Cluster) -> Iterator[Cluster]:
    """A namespace with a pod of an account of its own."""
    assert cluster.kubectl("create", "namespace", "accounts").returncode == 0
    cluster.apply(POD)
    eventually(lambda: is_ready(cluster.get("pod", "holder", "-n", "accounts")), 20, "it runs")
    yield cluster
    assert cluster.kubectl("delete", "namespace", "accounts", "--timeout=30s").returncode == 0


def read(cluster: Cluster, path: str) -> str:
    answer = cluster.kubectl("exec", "-n", "accounts", "holder", "--", "cat", path)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def reviewed(cluster: Cluster, token: str, *audiences: str) -> Any:
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": audiences},
    }
    answer = cluster.kubectl("create", "-f", "-", "-o", "json", input=json.dumps(review))
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)["status"]


def test_the_token_in_a_container_is_its_accounts(accounts: Cluster) -> None:
    status = reviewed(accounts, read(accounts, f"{FOLDER}/token"))
    assert status["authenticated"]
    assert status["user"]["username"] == "system:serviceaccount:accounts:robot"
    assert status["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["holder"]
    assert read(accounts, f"{FOLDER}/namespace") == "accounts"
    published = accounts.get("configmap", "kube-root-ca.crt", "-n", "accounts")
    assert read(accounts, f"{FOLDER}/ca.crt") == published["data"]["ca.crt"]


def test_a_projected_token_is_for_its_audience(accounts: Cluster) -> None:
    token = read(accounts, "/vault/token")
    assert reviewed(accounts, token, "vault")["authenticated"]
    assert not reviewed(accounts, token).get("authenticated")
