"""Where pods go, and why not elsewhere."""

from random import Random
from typing import Any

import msgspec
import pytest

from sampan.control.scheduler.columns import Columns, Placed
from sampan.control.scheduler.cycle import Cycle, Decision
from sampan.control.scheduler.requirements import (
    Requirements,
    pod_amounts,
    requirements,
    template_of,
)
from sampan.control.scheduler.views import Node, Pod
from sampan.testing import objects

OWNER = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "name": "web",
    "uid": "u",
    "controller": True,
}


class Table:
    """Nodes and what was decided on them."""

    def __init__(self, *nodes: dict[str, Any], seed: int = 0) -> None:
        self.columns = Columns()
        self.cycle = Cycle(self.columns, Random(seed))
        for node in nodes:
            self.columns.put_node(msgspec.convert(node, Node))

    def decide(self, pod: dict[str, Any]) -> Decision:
        return self.cycle.decide(needs(pod))

    def place(self, pod: dict[str, Any], node: str = "") -> str:
        node = node or self.decide(pod).node
        assert node
        self.columns.put_pod(Placed(pod["metadata"]["uid"], node, needs(pod)))
        return node


def needs(pod: dict[str, Any]) -> Requirements:
    view = msgspec.convert(pod, Pod)
    return requirements(view, template_of(view))


def asking(cpu: str = "", memory: str = "", **options: Any) -> dict[str, Any]:
    requests = {"cpu": cpu, "memory": memory}
    resources = {"requests": {key: value for key, value in requests.items() if value}}
    return objects.pod(containers=[{"name": "main", "resources": resources}], **options)


def three(**options: Any) -> tuple[dict[str, Any], ...]:
    return tuple(objects.node(f"node-{number}", **options) for number in (1, 2, 3))


@pytest.mark.parametrize("seed", range(5))
def test_three_siblings_go_to_three_nodes_even_when_one_is_busy(seed: int) -> None:
    table = Table(*three(), seed=seed)
    for number in range(5):
        table.place(asking("500m", name=f"other-{number}"), "node-1")
    taken = {table.place(objects.pod(f"web-{number}", owner=OWNER)) for number in range(3)}
    assert taken == {"node-1", "node-2", "node-3"}


def test_thirty_siblings_spread_evenly() -> None:
    table = Table(*three())
    taken = [table.place(objects.pod(f"web-{number}", owner=OWNER)) for number in range(30)]
    assert [taken.count(f"node-{number}") for number in (1, 2, 3)] == [10, 10, 10]


def test_the_less_loaded_node_is_taken() -> None:
    table = Table(*three())
    table.place(asking("2", name="a"), "node-1")
    table.place(asking("1", name="b"), "node-2")
    assert table.decide(asking("100m", name="c")).node == "node-3"


def test_what_a_pod_takes_is_given_back_when_it_is_gone() -> None:
    table = Table(objects.node(cpu="1"))
    table.place(asking("1", name="a"))
    assert (
        table.decide(asking("1", name="b")).message
        == "0/1 nodes are available: 1 Insufficient cpu."
    )
    table.columns.drop_pod("uid-a")
    assert table.decide(asking("1", name="b")).node == "node-1"


def test_every_reason_is_counted() -> None:
    table = Table(
        objects.node("a", taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]),
        objects.node("b", unschedulable=True),
        objects.node("c", cpu="100m", memory="10Mi"),
        objects.node("d", pods="0"),
    )
    assert table.decide(asking("1", "1Gi")).message == (
        "0/4 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods, "
        "1 node(s) had untolerated taint {gpu: yes}, 1 node(s) were unschedulable."
    )


def test_no_nodes_at_all() -> None:
    message = Table().decide(objects.pod()).message
    assert message == "0/0 nodes are available: no nodes available to schedule pods."


def test_a_toleration_lets_a_pod_in() -> None:
    table = Table(objects.node(taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]))
    tolerations = [{"key": "gpu", "operator": "Equal", "value": "yes"}]
    assert table.decide(objects.pod(tolerations=tolerations)).node == "node-1"


def test_selectors_and_required_affinity() -> None:
    table = Table(*three(), objects.node("fast", labels={"disk": "ssd"}))
    assert table.decide(objects.pod(nodeSelector={"disk": "ssd"})).node == "fast"
    expression = {"key": "disk", "operator": "In", "values": ["ssd", "nvme"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    assert table.decide(objects.pod(affinity=affinity)).node == "fast"
    refused = table.decide(objects.pod(nodeSelector={"disk": "tape"}))
    assert refused.message == (
        "0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector."
    )


def test_a_preferred_node_is_taken_and_an_unloved_taint_avoided() -> None:
    shy = objects.node("shy", taints=[{"key": "x", "effect": "PreferNoSchedule"}])
    assert Table(shy, objects.node("open")).decide(objects.pod()).node == "open"
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-2"]}
    term = {"weight": 50, "preference": {"matchExpressions": [expression]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}
    assert Table(*three()).decide(objects.pod(affinity=affinity)).node == "node-2"


def test_host_ports_collide_by_protocol_and_address() -> None:
    def with_port(name: str, **port: Any) -> dict[str, Any]:
        container = {"name": "main", "ports": [{"containerPort": 80, "hostPort": 80, **port}]}
        return objects.pod(name, containers=[container])

    table = Table(objects.node())
    table.place(with_port("a", hostIP="10.0.0.1"))
    assert table.decide(with_port("b", hostIP="10.0.0.2")).node
    assert table.decide(with_port("b", protocol="UDP")).node
    assert table.decide(with_port("b")).message == (
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    )


def test_required_anti_affinity_holds_both_ways() -> None:
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    table = Table(objects.node())
    table.place(objects.pod("averse", affinity=affinity))
    expected = "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."
    assert table.decide(objects.pod("other")).message == expected
    assert table.decide(objects.pod("averse-2", affinity=affinity)).message == expected
    assert table.decide(objects.pod("stranger", labels={"app": "db"})).node == "node-1"


def test_a_required_spread_bounds_the_skew() -> None:
    constraint = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    full = objects.node("full", pods="1")
    table = Table(objects.node("a"), full)
    spread = {"topologySpreadConstraints": [constraint]}
    first = table.place(objects.pod("1", **spread))
    second = table.place(objects.pod("2", **spread))
    assert {first, second} == {"a", "full"}
    assert table.place(objects.pod("3", **spread)) == "a"
    assert table.decide(objects.pod("4", **spread)).node == ""


def test_nodes_come_and_go_and_keep_what_is_on_them() -> None:
    table = Table(objects.node(cpu="1"))
    table.place(asking("1", name="a"))
    table.columns.drop_node("node-1")
    assert table.decide(asking("1", name="b")).node == ""
    table.columns.put_node(msgspec.convert(objects.node(cpu="1"), Node))
    assert "Insufficient cpu" in table.decide(asking("1", name="b")).message
    for number in range(40):
        table.columns.put_node(msgspec.convert(objects.node(f"new-{number}"), Node))
    assert table.decide(asking("1", name="b")).node.startswith("new-")


def test_initialization_counts_at_its_peak_and_sidecars_for_good() -> None:
    def container(cpu: str, **fields: Any) -> dict[str, Any]:
        return {"name": cpu, "resources": {"requests": {"cpu": cpu}}, **fields}

    pod = objects.pod(
        containers=[container("200m"), container("300m")],
        initContainers=[container("100m", restartPolicy="Always"), container("2")],
        overhead={"cpu": "50m"},
    )
    assert pod_amounts(msgspec.convert(pod, Pod).spec) == (2150, 0, 0, 1)


def test_the_same_seed_decides_the_same() -> None:
    def run(seed: int) -> list[str]:
        table = Table(*three(), seed=seed)
        return [table.place(objects.pod(f"p-{number}", labels={})) for number in range(12)]

    assert run(7) == run(7)
