"""When a node is taken for dead, and what becomes of its pods."""

from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

import msgspec

from sampan.control.controllers import node_lifecycle, node_ranges, taint_eviction
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.heartbeats import Heartbeats
from sampan.control.controllers.plan import Delete, Patch, Plan
from sampan.control.controllers.views import Lease, Node, Pod, Taint, Toleration
from sampan.kubernetes.kinds import resource
from sampan.testing import objects

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNREACHABLE = "node.kubernetes.io/unreachable"


def the_node(**options: Any) -> Node:
    return msgspec.convert(objects.node(**options), Node)


def planned(node: Node, silence: float, *, all_silent: bool = False) -> Plan:
    pods = (msgspec.convert(objects.pod(node="node-1", ready=True), Pod),)
    return node_lifecycle.plan(
        node_lifecycle.Snapshot(node, pods, silence, all_silent, grace=4.0), NOW
    )


def patches(plan: Plan) -> list[Patch]:
    return [action for action in plan.actions if isinstance(action, Patch)]


def taints(plan: Plan) -> set[tuple[str, str]]:
    found = [each.body["spec"]["taints"] for each in patches(plan) if "spec" in each.body]
    return {(taint["key"], taint["effect"]) for each in found for taint in each}


def test_a_node_that_speaks_is_left_alone_until_its_grace_is_over() -> None:
    plan = planned(the_node(), silence=1.0)
    assert plan.actions == ()
    assert plan.again_after == 3.0


def test_a_silent_node_is_unknown_tainted_and_its_pods_unready() -> None:
    plan = planned(the_node(), silence=4.0)
    status = patches(plan)[0].body["status"]["conditions"]
    assert (status[0]["type"], status[0]["status"]) == ("Ready", "Unknown")
    assert taints(plan) == {(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")}
    unready = patches(plan)[-1]
    assert unready.resource == resource.PODS
    assert unready.body["status"]["conditions"][0]["status"] == "False"


def test_when_all_are_silent_nobody_is_evicted() -> None:
    plan = planned(the_node(), silence=9.0, all_silent=True)
    assert taints(plan) == {(UNREACHABLE, "NoSchedule")}
    assert not [each for each in patches(plan) if each.resource == resource.PODS]
    assert plan.again_after == 4.0


def test_a_node_that_reports_again_loses_the_taints_but_keeps_its_own() -> None:
    own = {"key": "gpu", "effect": "NoSchedule"}
    lifted = {"key": UNREACHABLE, "effect": "NoExecute"}
    plan = planned(the_node(taints=[own, lifted]), silence=0.1)
    assert taints(plan) == {("gpu", "NoSchedule")}


def test_a_node_that_says_it_is_not_ready_is_tainted_so() -> None:
    plan = planned(the_node(ready="False"), silence=0.1)
    key = "node.kubernetes.io/not-ready"
    assert taints(plan) == {(key, "NoSchedule"), (key, "NoExecute")}


def test_a_node_that_never_reported_is_kept_free() -> None:
    plan = planned(the_node(ready=""), silence=0.1)
    assert taints(plan) == {("node.kubernetes.io/not-ready", "NoSchedule")}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def lease(renewed: str) -> Lease:
    body = {
        "metadata": {"name": "node-1", "namespace": "kube-node-lease"},
        "spec": {"renewTime": renewed},
    }
    return msgspec.convert(body, Lease)


def followed(clock: Clock) -> tuple[Heartbeats, Caches]:
    caches = Caches(())
    heartbeats = Heartbeats(clock)
    heartbeats.attach(caches)
    caches.nodes.change(None, the_node())
    caches.leases.change(None, lease("1"))
    return heartbeats, caches


def pass_time(clock: Clock, heartbeats: Heartbeats, seconds: float) -> None:
    for _ in range(int(seconds * 2)):
        clock.time += 0.5
        heartbeats.pulse()


def test_silence_is_counted_from_when_a_renewal_was_seen() -> None:
    clock = Clock()
    heartbeats, caches = followed(clock)
    pass_time(clock, heartbeats, 3)
    assert heartbeats.silence("node-1") == 3.0
    caches.leases.change(lease("1"), lease("1"))
    assert heartbeats.silence("node-1") == 3.0
    caches.leases.change(lease("1"), lease("2"))
    assert heartbeats.silence("node-1") == 0.0


def test_after_a_stall_every_node_has_its_full_grace() -> None:
    clock = Clock()
    heartbeats, _ = followed(clock)
    pass_time(clock, heartbeats, 1)
    clock.time += 60.0
    assert heartbeats.silence("node-1") == 0.0
    pass_time(clock, heartbeats, 2)
    assert heartbeats.silence("node-1") == 2.0


def evicted(age: float, *tolerations: Toleration) -> Plan:
    body = objects.pod(
        node="node-1", tolerations=[msgspec.to_builtins(each) for each in tolerations]
    )
    pod = msgspec.convert(body, Pod)
    ages = {Taint(UNREACHABLE, "NoExecute"): age}
    return taint_eviction.plan(taint_eviction.Snapshot(the_node(), (pod,), ages), NOW)


def test_a_pod_without_toleration_goes_at_once_by_its_uid() -> None:
    (deletion,) = evicted(0.0).actions
    assert isinstance(deletion, Delete)
    assert deletion.uid == "uid-web-1"


def test_a_toleration_ends_with_its_time() -> None:
    patient = Toleration(UNREACHABLE, "Exists", "", "NoExecute", 5)
    assert evicted(2.0, patient).again_after == 3.0
    assert len(evicted(5.0, patient).actions) == 1
    forever = Toleration(operator="Exists")
    assert evicted(1e9, forever) == Plan()


def test_ranges_are_given_once_and_the_first_is_kept_for_node_1() -> None:
    pod_range = IPv4Network("10.42.0.0/16")
    nodes = tuple(the_node(name=f"node-{number}") for number in (3, 2))
    plan = node_ranges.plan(node_ranges.Snapshot(nodes, pod_range), NOW)
    assert {each.name: each.body["spec"]["podCIDR"] for each in patches(plan)} == {
        "node-2": "10.42.1.0/24",
        "node-3": "10.42.2.0/24",
    }
    taken = (the_node(name="node-2", podCIDR="10.42.1.0/24"), the_node(name="node-1"))
    plan = node_ranges.plan(node_ranges.Snapshot((*taken, the_node(name="x")), pod_range), NOW)
    assert {each.name: each.body["spec"]["podCIDR"] for each in patches(plan)} == {
        "node-1": "10.42.0.0/24",
        "x": "10.42.2.0/24",
    }
