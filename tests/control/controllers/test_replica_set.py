"""What a ReplicaSet's plan does about too few, too many and strange pods."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from sampan.control.controllers import replica_set, replicas
from sampan.control.controllers.plan import Create, Delete, Patch, Plan
from sampan.control.controllers.views import Pod, ReplicaSet
from sampan.testing import objects

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
OWNER = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "name": "web",
    "uid": "u",
    "controller": True,
}


def the_set(wanted: int, status: dict[str, Any]) -> ReplicaSet:
    return msgspec.convert(
        {
            "metadata": {"name": "web", "namespace": "default", "uid": "u", "generation": 2},
            "spec": {
                "replicas": wanted,
                "selector": {"matchLabels": {"app": "web"}},
                "template": msgspec.Raw(msgspec.json.encode(objects.pod_template())),
            },
            "status": status,
        },
        ReplicaSet,
    )


def pod(name: str, **options: Any) -> Pod:
    options.setdefault("owner", OWNER)
    return msgspec.convert(objects.pod(name, **options), Pod)


def planned(
    wanted: int,
    *pods: Pod,
    status: dict[str, Any] | None = None,
    neighbours: dict[str, int] | None = None,
    failure: str = "",
) -> Plan:
    the = the_set(wanted, status or {})
    snapshot = replicas.Snapshot(replica_set.KIND, the, pods, neighbours or {}, failure)
    return replicas.plan(snapshot, NOW)


def deleted(plan: Plan) -> list[str]:
    return [action.name for action in plan.actions if isinstance(action, Delete)]


def test_missing_pods_are_created_from_the_template() -> None:
    plan = planned(3, pod("web-a", node="n1", ready=True))
    assert len(plan.actions) == 2
    create = plan.actions[0]
    assert isinstance(create, Create)
    assert create.body["metadata"]["generateName"] == "web-"
    assert create.body["metadata"]["labels"] == {"app": "web"}
    assert create.body["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert create.body["spec"]["containers"][0]["image"] == "example:1"


def test_a_pod_that_is_deleted_or_finished_is_replaced_at_once() -> None:
    gone = [pod("web-a", node="n1", deleting=True), pod("web-b", node="n1", phase="Failed")]
    assert len([a for a in planned(2, *gone).actions if isinstance(a, Create)]) == 2


def test_the_least_useful_pods_are_deleted_first() -> None:
    pods = [
        pod("web-ready", node="n1", ready=True),
        pod("web-unready", node="n1"),
        pod("web-pending", node="n1", phase="Pending"),
        pod("web-unassigned"),
    ]
    assert deleted(planned(1, *pods)) == ["web-unassigned", "web-pending", "web-unready"]


def test_crowded_nodes_lose_pods_first_and_young_pods_go_before_old_ones() -> None:
    crowded = [
        pod("web-a", node="n1", ready=True),
        pod("web-b", node="n2", ready=True),
        pod("web-c", node="n2", ready=True, created="2026-01-01T00:59:00Z"),
    ]
    assert deleted(planned(2, *crowded, neighbours={"n1": 1, "n2": 2})) == ["web-c"]


def test_what_is_left_after_shrinking_is_spread() -> None:
    pods = [pod(f"web-{n}", node=f"n{n % 3}", ready=True) for n in range(30)]
    gone = set(deleted(planned(3, *pods, neighbours={"n0": 10, "n1": 10, "n2": 10})))
    left = [each.spec.node_name for each in pods if each.metadata.name not in gone]
    assert sorted(left) == ["n0", "n1", "n2"]


def test_a_deletion_cost_saves_a_pod() -> None:
    dear = objects.pod("web-dear", node="n1", ready=True, owner=OWNER)
    dear["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": "100"}
    cheap = pod("web-z", node="n1", ready=True, created="2020-01-01T00:00:00Z")
    assert deleted(planned(1, msgspec.convert(dear, Pod), cheap)) == ["web-z"]


def test_a_matching_orphan_is_adopted_and_counts() -> None:
    plan = planned(1, pod("web-lost", node="n1", owner=None))
    (adoption,) = plan.actions
    assert isinstance(adoption, Patch)
    assert adoption.body["metadata"]["ownerReferences"][0]["name"] == "web"
    assert adoption.resource_version == "1"


def test_a_pod_that_matches_no_longer_is_let_go_and_replaced() -> None:
    plan = planned(1, pod("web-a", node="n1", labels={"app": "other"}))
    release, create = plan.actions
    assert isinstance(release, Patch)
    assert release.body == {"metadata": {"ownerReferences": []}}
    assert isinstance(create, Create)


def test_another_sets_pods_are_left_alone() -> None:
    stranger = pod("web-a", owner={**OWNER, "uid": "another"})
    plan = planned(0, stranger, status={"observedGeneration": 2})
    assert plan.actions == ()


def test_the_status_counts_and_is_written_only_when_it_differs() -> None:
    pods = [pod("web-a", node="n1", ready=True), pod("web-b", node="n1")]
    (status,) = planned(2, *pods).actions
    assert isinstance(status, Patch)
    assert status.body["status"] == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "terminatingReplicas": 0,
        "observedGeneration": 2,
        "conditions": [],
    }
    assert planned(2, *pods, status=status.body["status"]).actions == ()


def test_a_refused_creation_shows_in_the_status() -> None:
    plan = planned(1, failure="exceeded quota")
    status, create = plan.actions
    assert isinstance(status, Patch)
    assert status.body["status"]["conditions"][0]["message"] == "exceeded quota"
    assert isinstance(create, Create)


def test_a_creation_that_is_refused_again_is_told_once() -> None:
    told = planned(1, failure='pods "web-a" is forbidden').actions[0]
    assert isinstance(told, Patch)
    (again,) = planned(1, status=told.body["status"], failure='pods "web-b" is forbidden').actions
    assert isinstance(again, Create)


def test_a_refused_deletion_is_told_as_one() -> None:
    plan = planned(0, pod("web-a", node="n1"), failure="not now")
    status, deletion = plan.actions
    assert isinstance(status, Patch)
    assert status.body["status"]["conditions"][0]["reason"] == "FailedDelete"
    assert isinstance(deletion, Delete)
