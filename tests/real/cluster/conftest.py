"""One cluster of three nodes with the demo application, shared by the tests of this folder."""

import subprocess
from collections.abc import Iterator

import pytest
from tests.real.harness import ROOT, Cluster, eventually, running_cluster

HELLO = ROOT / "examples" / "hello"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes with the images hello:1 and hello:2, and nothing deployed."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), nodes=3) as running:
        build_demo(running)
        yield running


def build_demo(cluster: Cluster) -> None:
    context = cluster.folder / "demo"
    gather = ["/usr/bin/python3", "-I", "-S", str(HELLO / "gather.py"), str(context)]
    subprocess.run(gather, check=True, timeout=60)
    for version in ("1", "2"):
        argument = f"VERSION={version}"
        answer = cluster.sampan(
            "build", "-t", f"hello:{version}", "--build-arg", argument, str(context)
        )
        assert answer.returncode == 0, answer.stderr


@pytest.fixture
def hello(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with the demo application in version 1: three ready pods on three nodes."""
    deploy_hello(cluster)
    yield cluster
    answer = cluster.kubectl("delete", "-f", str(HELLO / "app.yaml"), "--wait=false")
    assert answer.returncode == 0, answer.stderr
    wait_until_gone(cluster)


def deploy_hello(cluster: Cluster) -> None:
    answer = cluster.kubectl("apply", "-f", str(HELLO / "app.yaml"))
    assert answer.returncode == 0, answer.stderr
    eventually(lambda: len(cluster.ready_pods("app=hello")) == 3, 30, "three ready pods")


def wait_until_gone(cluster: Cluster) -> None:
    """Until no pod of the demo is left; tells of what is, if that takes too long."""
    try:
        eventually(lambda: not cluster.get("pods", "-l", "app=hello")["items"], 30, "no pod left")
    except AssertionError as error:
        shown = cluster.kubectl("get", "pods,replicasets,deployments", "-o", "yaml").stdout
        raise AssertionError(shown) from error
