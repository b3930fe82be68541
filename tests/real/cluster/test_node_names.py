"""Nodes whose names begin with a prefix, on a cluster of their own."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.harness import Cluster, Namespaces, eventually, is_ready, leftovers

pytestmark = pytest.mark.real


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """An instance that doesn't run yet."""
    cluster = Cluster("test-names", tmp_path, Namespaces())
    try:
        yield cluster
        cluster.sampan("down")
        assert leftovers(cluster) == []
    finally:
        cluster.remove()


def names(cluster: Cluster) -> list[str]:
    return [node["metadata"]["name"] for node in cluster.get("nodes")["items"]]


def test_names_are_kept_until_others_are_asked_for(cluster: Cluster) -> None:
    first = cluster.sampan("up", "--nodes", "2", "--node-prefix", "east-")
    assert first.returncode == 0, first.stderr
    assert first.stdout == "2 nodes ready: east-node-1, east-node-2\n"
    assert names(cluster) == ["east-node-1", "east-node-2"]
    refused = cluster.sampan("up", "--node-prefix", "west-")
    assert "runs already, with nodes called east-node-1, east-node-2" in refused.stderr
    assert re.search(r"^east-node-2 +Ready", cluster.sampan("status").stdout, re.MULTILINE)
    for name in ("east-node-2", "node-2"):
        assert cluster.sampan("node", "stop", name).returncode == 0
        assert cluster.sampan("node", "start", name).returncode == 0
        eventually(lambda: is_ready(cluster.get("node", "east-node-2")), 20, "it is back")
    assert cluster.sampan("down").returncode == 0
    again = cluster.sampan("up", "--nodes", "1")
    assert again.stdout == "1 node ready: east-node-1\n", again.stderr
    assert names(cluster) == ["east-node-1"]


def test_what_cannot_begin_a_name_is_refused(cluster: Cluster) -> None:
    answer = cluster.sampan("up", "--node-prefix", "East")
    assert answer.returncode == 125
    assert "'East' can't begin the name of a node" in answer.stderr
