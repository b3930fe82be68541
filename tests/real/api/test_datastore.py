"""A cluster on etcd that is taken down and started again finds its objects without being told."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.harness import Cluster, Namespaces, eventually, leftovers_by_name
from tests.store.etcd_process import require_etcd

pytestmark = pytest.mark.real

URL = "http://127.0.0.1:2379"
DATASTORE = "etcd://127.0.0.1:2379"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """An instance that doesn't run yet, and an etcd beside it."""
    program = require_etcd()
    cluster = Cluster("test-datastore", tmp_path, Namespaces())
    command = [program, "--data-dir", str(tmp_path / "etcd"), "--log-level", "error"]
    command += ["--listen-client-urls", URL, "--advertise-client-urls", URL]
    etcd = subprocess.Popen(cluster.namespaces.command(*command))
    answers = ("curl", "-sf", f"{URL}/health")
    try:
        eventually(lambda: cluster.run(*answers).returncode == 0, 10, "etcd answers")
        yield cluster
    finally:
        cluster.sampan("down")
        found = leftovers_by_name(cluster)
        etcd.kill()
        etcd.wait()
        cluster.remove()
    assert found == []


def test_the_datastore_of_the_last_time_is_used_again(cluster: Cluster) -> None:
    first = cluster.sampan("up", "--datastore", DATASTORE)
    assert first.returncode == 0, first.stderr
    cluster.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    refused = cluster.sampan("up", "--datastore", "sqlite")
    assert refused.returncode == 1
    assert f"the cluster runs already, with the datastore {DATASTORE}" in refused.stderr
    assert cluster.sampan("down").returncode == 0
    again = cluster.sampan("up")
    assert again.returncode == 0, again.stderr
    assert cluster.get("configmap", "kept")["data"] == {"a": "b"}
    assert cluster.sampan("down").returncode == 0
    elsewhere = cluster.sampan("up", "--datastore", "sqlite")
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert cluster.get("configmap", "kept") is None
