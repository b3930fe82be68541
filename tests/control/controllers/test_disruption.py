"""How many pods of a budget are well, and how many may go."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.control.controllers.disruption import Snapshot, plan
from sampan.control.controllers.views import (
    Condition,
    DisruptionBudget,
    DisruptionBudgetSpec,
    Pod,
    PodStatus,
)
from sampan.kubernetes.machinery.metadata import Metadata

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def budget(status: Any = None, **spec: Any) -> DisruptionBudget:
    metadata = Metadata("budget", "shop", "uid-budget", "7", generation=3)
    return DisruptionBudget(metadata, DisruptionBudgetSpec({}, **spec), status or {})


def pod(number: int, *, ready: bool = True, going: bool = False) -> Pod:
    name = f"pod-{number}"
    gone = "2026-01-01T12:00:00Z" if going else None
    metadata = Metadata(name, "shop", f"uid-{name}", deletion_timestamp=gone)
    condition = Condition("Ready", "True" if ready else "False")
    return Pod(metadata, status=PodStatus("Running", (condition,)))


def snapshot(
    given: DisruptionBudget, *pods: Pod, wanted: int | None = 4, naked: bool = False
) -> Snapshot:
    owner = "" if naked else "owner"
    scales = {} if wanted is None else {"owner": wanted}
    return Snapshot(given, pods, scales, {each.metadata.uid: owner for each in pods})


def account(given: Snapshot) -> tuple[int, int, int, int]:
    """Healthy, desired, expected, allowed."""
    (patch,) = plan(given, NOW).actions
    told = patch.body["status"]  # type: ignore[union-attr]
    return (
        told["currentHealthy"],
        told["desiredHealthy"],
        told["expectedPods"],
        told["disruptionsAllowed"],
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"min_available": 2}, (3, 2, 4, 1)),
        ({"min_available": 4}, (3, 4, 4, 0)),
        ({"min_available": "50%"}, (3, 3, 5, 0)),
        ({"min_available": "20%"}, (3, 1, 5, 2)),
        ({"max_unavailable": 1}, (3, 4, 5, 0)),
        ({"max_unavailable": 3}, (3, 2, 5, 1)),
        ({"max_unavailable": "50%"}, (3, 2, 5, 1)),
        ({"max_unavailable": 9}, (3, 0, 5, 3)),
    ],
)
def test_accounts(spec: Any, expected: tuple[int, ...]) -> None:
    pods = [pod(1), pod(2), pod(3), pod(4, ready=False)]
    assert account(snapshot(budget(**spec), *pods, wanted=5)) == expected


def test_pods_that_go_or_are_marked_are_not_counted() -> None:
    marked = {"disruptedPods": {"pod-2": "2026-01-01T11:59:00Z"}}
    pods = [pod(1), pod(2), pod(3, going=True)]
    assert account(snapshot(budget(marked, min_available=0), *pods))[0] == 1


def test_a_mark_ends_after_two_minutes_or_with_its_pod_and_is_looked_after() -> None:
    marks = {
        "pod-1": "2026-01-01T11:57:00Z",
        "pod-2": "2026-01-01T11:59:00Z",
        "gone": "2026-01-01T11:59:30Z",
    }
    made = plan(snapshot(budget({"disruptedPods": marks}, min_available=0), pod(1), pod(2)), NOW)
    (patch,) = made.actions
    left = {"pod-2": "2026-01-01T11:59:00Z", "pod-1": None, "gone": None}
    assert patch.body["status"]["disruptedPods"] == left  # type: ignore[union-attr]
    assert made.again_after == 60


def test_nothing_may_go_where_the_wanted_number_is_not_known() -> None:
    made = plan(snapshot(budget(max_unavailable=1), pod(1), naked=True), NOW)
    told = made.actions[0].body["status"]  # type: ignore[union-attr]
    assert told["disruptionsAllowed"] == 0
    assert told["conditions"][0]["reason"] == "SyncFailed"


def test_an_account_that_is_right_is_left_alone() -> None:
    given = snapshot(budget(min_available=1), pod(1), pod(2))
    (patch,) = plan(given, NOW).actions
    written = {**patch.body["status"]}  # type: ignore[union-attr]
    assert written.pop("disruptedPods") == {}
    assert written["observedGeneration"] == 3
    assert written["conditions"][0]["reason"] == "SufficientPods"
    again = snapshot(budget(written, min_available=1), pod(1), pod(2))
    assert plan(again, NOW).actions == ()
