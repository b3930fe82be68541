"""Where a ReplicationController differs from a ReplicaSet."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from sampan.control.controllers import replicas
from sampan.control.controllers.plan import Create, Patch, Plan
from sampan.control.controllers.replication_controller import KIND
from sampan.control.controllers.views import Pod, ReplicaSet
from sampan.testing import objects

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
OWNER = {
    "apiVersion": "v1",
    "kind": "ReplicationController",
    "name": "web",
    "uid": "u",
    "controller": True,
    "blockOwnerDeletion": True,
}


def planned(wanted: int, *pods: dict[str, Any], status: dict[str, Any] | None = None) -> Plan:
    controller = {
        "metadata": {"name": "web", "namespace": "default", "uid": "u", "generation": 2},
        "spec": {
            "replicas": wanted,
            "selector": {"app": "web"},
            "template": msgspec.Raw(msgspec.json.encode(objects.pod_template())),
        },
        "status": status or {},
    }
    snapshot = replicas.Snapshot(
        KIND,
        msgspec.convert(controller, ReplicaSet),
        tuple(msgspec.convert(each, Pod) for each in pods),
        {},
    )
    return replicas.plan(snapshot, NOW)


def test_its_pods_are_created_in_its_name() -> None:
    (create,) = planned(1).actions
    assert isinstance(create, Create)
    assert create.body["metadata"]["ownerReferences"] == [OWNER]


def test_its_selector_is_a_map_of_labels() -> None:
    lost = objects.pod("web-lost", node="n1", owner=None)
    strange = objects.pod("strange", node="n1", owner=None, labels={"app": "other"})
    (adoption,) = planned(1, lost, strange).actions
    assert isinstance(adoption, Patch)
    assert adoption.name == "web-lost"


def test_a_pod_that_matches_no_longer_is_let_go_and_replaced() -> None:
    strange = objects.pod("strange", node="n1", owner=OWNER, labels={"app": "other"})
    released, replaced = planned(1, strange).actions
    assert isinstance(released, Patch)
    assert released.body == {"metadata": {"ownerReferences": []}}
    assert isinstance(replaced, Create)


def test_its_status_says_nothing_of_pods_on_their_way_out() -> None:
    going = objects.pod("web-a", node="n1", owner=OWNER, deleting=True)
    staying = objects.pod("web-b", node="n1", owner=OWNER, ready=True)
    (status,) = planned(1, going, staying).actions
    assert isinstance(status, Patch)
    assert status.body["status"] == {
        "replicas": 1,
        "fullyLabeledReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "observedGeneration": 2,
        "conditions": [],
    }
    assert planned(1, going, staying, status=status.body["status"]).actions == ()
