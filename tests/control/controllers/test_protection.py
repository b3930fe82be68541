"""Claims and volumes are kept while they are in use, and let go then."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.control.controllers import claim_protection, flow_schemas, volume_protection
from sampan.control.controllers.plan import Head, HeadMetadata, List, Plan
from sampan.control.controllers.views import (
    Condition,
    FlowSchema,
    FlowSchemaSpec,
    FlowSchemaStatus,
    LevelReference,
    PersistentVolume,
    PersistentVolumeStatus,
    Pod,
    PodSpec,
    PodStatus,
)
from sampan.kubernetes.kinds.resource import PODS
from sampan.kubernetes.machinery.metadata import Metadata

NOW = datetime(2026, 1, 1, tzinfo=UTC)
THEN = "2025-12-31T00:00:00Z"
CLAIM, VOLUME = claim_protection.FINALIZER, volume_protection.FINALIZER
READ = List(PODS, "shop")


def claim(*finalizers: str, ends: bool = True) -> Head:
    gone = THEN if ends else None
    return Head(HeadMetadata("data", "shop", "uid", "7", (), finalizers, gone))


def pod(phase: str = "Running", node: str = "node-1") -> Pod:
    return Pod(Metadata("p", "shop", "uid-p", "5"), PodSpec(node), PodStatus(phase))


def listed(version: str) -> Head:
    return Head(HeadMetadata("p", "shop", "uid-p", version))


def planned(
    given: Head, *pods: Pod, known: dict[str, int] | None = None, answers: Any = None
) -> Plan:
    snapshot = claim_protection.Snapshot(given, pods, known or {}, answers or {})
    return claim_protection.plan(snapshot, NOW)


def finalizers(plan: Plan) -> list[str] | None:
    """Those that the object is given; None when it is left alone."""
    if not plan.actions:
        return None
    (patch,) = plan.actions
    assert patch.resource_version == "7"  # type: ignore[union-attr]
    return list(patch.body["metadata"]["finalizers"])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "pods", "expected"),
    [
        (claim(ends=False), (), [CLAIM]),
        (claim("mine", ends=False), (), ["mine", CLAIM]),
        (claim(CLAIM, ends=False), (), None),
        (claim("mine"), (), None),
        (claim(CLAIM), (pod(),), None),
        (claim(CLAIM), (pod("Pending"),), None),
        (claim(CLAIM), (pod("Succeeded"), pod("Running")), None),
        (claim("mine", CLAIM), (), ["mine"]),
        (claim(CLAIM), (pod("Succeeded"), pod("Failed"), pod(node="")), []),
    ],
)
def test_a_claim_goes_when_no_pod_uses_it(given: Head, pods: Any, expected: Any) -> None:
    assert finalizers(planned(given, *pods, answers={READ: ()})) == expected


def test_that_nobody_uses_a_claim_is_believed_of_a_current_view_alone() -> None:
    assert planned(claim(CLAIM)).reads == (READ,)
    answers = {READ: (listed("9"),)}
    for known in ({}, {"uid-p": 8}):
        behind = planned(claim(CLAIM), known=known, answers=answers)
        assert behind.again_after
        assert behind.actions == ()
    assert finalizers(planned(claim(CLAIM), known={"uid-p": 9}, answers=answers)) == []


@pytest.mark.parametrize(
    ("present", "ends", "phase", "expected"),
    [
        ((), False, "Available", [VOLUME]),
        ((VOLUME,), False, "Released", None),
        ((), True, "Released", None),
        ((VOLUME,), True, "Bound", None),
        ((VOLUME, "mine"), True, "Released", ["mine"]),
        ((VOLUME,), True, "", []),
    ],
)
def test_a_volume_goes_when_it_is_not_bound(
    present: Any, ends: bool, phase: str, expected: Any
) -> None:
    metadata = Metadata(
        "disk", uid="uid", resource_version="7", finalizers=present, deletion_timestamp=None
    )
    if ends:
        metadata = Metadata(
            "disk", uid="uid", resource_version="7", finalizers=present, deletion_timestamp=THEN
        )
    given = PersistentVolume(metadata, PersistentVolumeStatus(phase))
    plan = volume_protection.plan(volume_protection.Snapshot(given), NOW)
    assert finalizers(plan) == expected


def test_a_flow_schema_tells_whether_its_level_is_there() -> None:
    spec = FlowSchemaSpec(LevelReference("low"))
    schema = FlowSchema(Metadata("mine", uid="uid"), spec)
    told = []
    for has_level in (True, True, False):
        snapshot = flow_schemas.Snapshot(schema, has_level)
        for patch in flow_schemas.plan(snapshot, NOW).actions:
            (entry,) = patch.body["status"]["conditions"]  # type: ignore[union-attr]
            told.append((entry["type"], entry["status"], entry["reason"], entry["message"]))
            state = Condition(*told[-1], last_transition_time=entry["lastTransitionTime"])
            schema = FlowSchema(schema.metadata, spec, FlowSchemaStatus((state,)))
    named = 'This FlowSchema references the PriorityLevelConfiguration object named "low"'
    assert told == [
        ("Dangling", "False", "Found", f"{named} and it exists"),
        ("Dangling", "True", "NotFound", f"{named} but there is no such object"),
    ]
