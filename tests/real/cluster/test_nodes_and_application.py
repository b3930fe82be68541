"""The main job: nodes are ready, an application is spread over them and answers."""

import json

import pytest
from tests.real.harness import Cluster, eventually, is_ready

pytestmark = pytest.mark.real


def url(cluster: Cluster) -> str:
    return f"http://{cluster.instance.loopback_address}:30080/"


def test_three_nodes_are_ready_with_addresses_of_their_own(cluster: Cluster) -> None:
    nodes = cluster.get("nodes")["items"]
    assert [node["metadata"]["name"] for node in nodes] == ["node-1", "node-2", "node-3"]
    assert all(is_ready(node) for node in nodes)
    addresses = {
        entry["address"]
        for node in nodes
        for entry in node["status"]["addresses"]
        if entry["type"] == "InternalIP"
    }
    assert addresses == {str(cluster.instance.node_address(number)) for number in (1, 2, 3)}


def test_the_replicas_are_spread_over_the_nodes(hello: Cluster) -> None:
    nodes = {pod["spec"]["nodeName"] for pod in hello.ready_pods("app=hello")}
    assert nodes == {"node-1", "node-2", "node-3"}


def test_the_node_port_leads_to_every_pod(hello: Cluster) -> None:
    answers = {hello.fetch(url(hello)) for _ in range(60)}
    assert len(answers) == 3
    assert all("version 1" in answer for answer in answers)


def test_the_cluster_address_answers_on_the_host(hello: Cluster) -> None:
    address = hello.get("service", "hello")["spec"]["clusterIP"]
    assert len({hello.fetch(f"http://{address}/") for _ in range(60)}) == 3


def test_the_node_port_answers_on_every_nodes_address(hello: Cluster) -> None:
    for number in (1, 2, 3):
        assert "Hello" in hello.fetch(f"http://{hello.instance.node_address(number)}:30080/")


def test_a_pod_reaches_pods_on_other_nodes_by_the_services_name(hello: Cluster) -> None:
    for pod in hello.ready_pods("app=hello"):
        address = pod["status"]["podIP"]
        fetch = f"http://{address}:8080/fetch?host=hello&port=80&path=/"
        answers = {hello.fetch(fetch) for _ in range(60)}
        assert len(answers) == 3, f"from {pod['spec']['nodeName']}: {answers}"


def test_names_resolve_in_a_pod(hello: Cluster) -> None:
    address = hello.get("service", "hello")["spec"]["clusterIP"]
    pod = hello.ready_pods("app=hello")[0]["status"]["podIP"]
    for name in ("hello", "hello.default", "hello.default.svc.cluster.local"):
        assert hello.fetch(f"http://{pod}:8080/resolve?name={name}").split() == [address]


def test_it_scales_to_thirty_and_back(hello: Cluster) -> None:
    hello.kubectl("scale", "deployment/hello", "--replicas=30")
    eventually(lambda: len(hello.ready_pods("app=hello")) == 30, 60, "thirty ready pods")
    hello.kubectl("scale", "deployment/hello", "--replicas=3")

    def three_left() -> bool:
        return len(hello.get("pods", "-l", "app=hello")["items"]) == 3

    eventually(three_left, 60, "three pods left")


def test_a_second_up_changes_nothing(hello: Cluster) -> None:
    before = json.loads(hello.sampan("status", "-o", "json").stdout)
    answer = hello.sampan("up", "--nodes", "3")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(hello.sampan("status", "-o", "json").stdout) == before


def test_fewer_nodes_are_refused_with_advice(cluster: Cluster) -> None:
    answer = cluster.sampan("up", "--nodes", "2")
    assert answer.returncode == 1
    assert f"sampan --instance {cluster.instance.name} node stop" in answer.stderr
