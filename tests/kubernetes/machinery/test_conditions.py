"""Conditions."""

from sampan.kubernetes.machinery import conditions

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
    assert changed[1] is given[1]
    assert conditions.find(changed, "A") is changed[0]
    assert conditions.find(None, "A") is None
