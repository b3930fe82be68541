"""Conditions and owner references."""

from sampan.kubernetes.kinds.resource import REPLICA_SETS
from sampan.kubernetes.machinery import conditions, owners
from sampan.kubernetes.machinery.metadata import Metadata, OwnerReference

BEFORE, NOW = "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"


def test_the_transition_time_moves_with_the_status_alone() -> None:
    first = conditions.with_condition(None, "Ready", "False", BEFORE, reason="Starting")
    same = conditions.with_condition(first, "Ready", "False", NOW, message="still")
    assert same == [
        {"type": "Ready", "status": "False", "lastTransitionTime": BEFORE, "message": "still"}
    ]
    assert conditions.with_condition(same, "Ready", "True", NOW) == [
        {"type": "Ready", "status": "True", "lastTransitionTime": NOW}
    ]
    assert first[0]["reason"] == "Starting"


def test_other_conditions_stay_in_place() -> None:
    given = [{"type": "A", "status": "True"}, {"type": "B", "status": "True"}]
    changed = conditions.with_condition(given, "A", "False", NOW)
    assert [it["type"] for it in changed] == ["A", "B"]
    assert conditions.is_true(changed, "B")
    assert not conditions.is_true(changed, "A")
    assert not conditions.is_true(None, "A")
    assert conditions.without_condition(changed, "A") == [{"type": "B", "status": "True"}]


def test_a_controller_reference() -> None:
    metadata = Metadata(name="rs", uid="u")
    assert owners.controller_reference(REPLICA_SETS, metadata) == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "rs",
        "uid": "u",
        "controller": True,
        "blockOwnerDeletion": True,
    }


def test_who_controls_and_who_is_left() -> None:
    controller = OwnerReference("apps/v1", "ReplicaSet", "rs", "u", controller=True)
    other = OwnerReference("v1", "Pod", "p", "v")
    pod = Metadata(name="p", owner_references=(controller, other))
    assert owners.is_controlled_by(pod, "u")
    assert not owners.is_controlled_by(pod, "v")
    assert owners.without(pod.owner_references, "u") == [
        {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "v"}
    ]
