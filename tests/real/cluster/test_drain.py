"""`kubectl drain` empties a node as fast as the budgets of its pods allow, and no faster."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.real.harness import Cluster, eventually

pytestmark = pytest.mark.real

NODE, OTHERS = "node-2", ("node-1", "node-3")
DRAIN = ("drain", NODE, "--ignore-daemonsets", "--delete-emptydir-data", "--force")
SELECTOR = "app=kept"
REFUSAL = "Cannot evict pod as it would violate the pod's disruption budget."
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: kept, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: kept}}
  template:
    metadata: {labels: {app: kept}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "hello:1"}]
"""
BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: kept, namespace: default}
spec:
  minAvailable: %s
  selector: {matchLabels: {app: kept}}
"""


def done(cluster: Cluster, *arguments: str) -> str:
    answer = cluster.kubectl(*arguments)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def budget(cluster: Cluster, available: int, allowed: int) -> None:
    """Set the budget, and wait until its account is made."""
    cluster.apply(BUDGET % available)

    def counted() -> bool:
        status = cluster.get("pdb", "kept").get("status", {})
        told = status.get("desiredHealthy"), status.get("disruptionsAllowed")
        return told == (available, allowed)

    eventually(counted, 15, "the account of the budget")


@pytest.fixture
def kept(cluster: Cluster) -> Iterator[Cluster]:
    """Two pods, both on one node."""
    for name in OTHERS:
        done(cluster, "cordon", name)
    cluster.apply(DEPLOYMENT)
    eventually(lambda: len(cluster.ready_pods(SELECTOR)) == 2, 20, "two ready pods")
    for name in OTHERS:
        done(cluster, "uncordon", name)
    yield cluster
    cluster.kubectl("delete", "pdb,deployment", "kept", "--ignore-not-found")
    done(cluster, "uncordon", NODE)
    eventually(lambda: not cluster.pods(SELECTOR), 20, "no pod left")


def nodes_of(pods: list[Any]) -> set[str]:
    return {pod["spec"]["nodeName"] for pod in pods}


def test_a_drain_waits_until_a_budget_allows_the_next_eviction(kept: Cluster) -> None:
    assert nodes_of(kept.pods(SELECTOR)) == {NODE}
    budget(kept, available=1, allowed=1)
    drain = kept.start(kept.kubectl_program(), *DRAIN, "--timeout=60s")
    ready = []
    while drain.poll() is None:
        ready.append(len(kept.ready_pods(SELECTOR)))
        time.sleep(0.05)
    told, _ = drain.communicate(timeout=5)
    assert drain.returncode == 0, told
    assert f"(will retry after 5s): {REFUSAL}" in told
    assert f"node/{NODE} drained" in told
    assert min(ready) >= 1
    eventually(lambda: len(kept.ready_pods(SELECTOR)) == 2, 20, "two ready pods elsewhere")
    assert NODE not in nodes_of(kept.pods(SELECTOR))
    assert "SchedulingDisabled" in done(kept, "get", "node", NODE)


def test_a_drain_gives_up_where_no_eviction_is_allowed(kept: Cluster) -> None:
    budget(kept, available=2, allowed=0)
    before = {pod["metadata"]["uid"] for pod in kept.pods(SELECTOR)}
    answer = kept.kubectl(*DRAIN, "--timeout=3s")
    assert answer.returncode == 1
    assert REFUSAL in answer.stderr
    assert {pod["metadata"]["uid"] for pod in kept.ready_pods(SELECTOR)} == before
    done(kept, "delete", "pdb", "kept")
    assert f"node/{NODE} drained" in done(kept, *DRAIN, "--timeout=30s")
    assert NODE not in nodes_of(kept.pods(SELECTOR))
