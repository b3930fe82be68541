"""The two forms of an Event, and the rules of each."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as make

from sampan.kubernetes.kinds.core.event_forms import GROUP_NAMES, to_core_form, to_group_form
from sampan.kubernetes.kinds.core.events import EVENT, GROUP_EVENT
from sampan.kubernetes.schema.definitions import definition

CORE = {
    "metadata": {"name": "a", "namespace": "default"},
    "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"},
    "message": "it began",
    "reason": "Started",
    "source": {"component": "kubelet", "host": "n"},
    "firstTimestamp": "2026-11-23T12:00:00Z",
    "lastTimestamp": "2026-11-23T12:00:00Z",
    "count": 2,
    "reportingComponent": "kubelet",
    "type": "Normal",
}
NEW = {
    "eventTime": "2026-11-23T12:00:00.000000Z",
    "reportingController": "example.com/c",
    "reportingInstance": "one",
    "action": "Started",
    "reason": "Started",
    "type": "Normal",
    "note": "it began",
    "regarding": {"kind": "Pod", "namespace": "default", "name": "web"},
}


def test_every_field_of_one_form_is_one_of_the_other() -> None:
    core = definition(EVENT.definition).properties.keys()
    group = definition(GROUP_EVENT.definition).properties.keys()
    assert {GROUP_NAMES.get(name, name) for name in core} == set(group)


def test_the_old_form_is_told_in_the_new() -> None:
    told = to_group_form(CORE)
    assert told["note"] == "it began"
    assert told["regarding"]["name"] == "web"
    assert told["deprecatedCount"] == 2
    assert told["deprecatedSource"]["host"] == "n"
    assert told["reportingController"] == "kubelet"


@given(make.dictionaries(make.sampled_from(sorted(CORE)), make.integers()))
def test_nothing_is_lost_between_the_forms(event: dict[str, int]) -> None:
    assert to_core_form(to_group_form(event)) == event


def test_stored_bytes_are_converted() -> None:
    assert GROUP_EVENT.from_stored is not None
    assert GROUP_EVENT.to_stored is not None
    stored = msgspec.json.encode({"apiVersion": "v1", "kind": "Event", **CORE})
    other = msgspec.json.decode(GROUP_EVENT.from_stored(stored))
    assert other["apiVersion"] == "events.k8s.io/v1"
    back = msgspec.json.decode(GROUP_EVENT.to_stored(msgspec.json.encode(other)))
    assert back == {"apiVersion": "v1", "kind": "Event", **CORE}


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"eventTime": None}, "eventTime", "Required value"),
        ({"type": "Loud"}, "type", "has invalid value: Loud"),
        ({"reportingController": ""}, "reportingController", "Required value"),
        ({"reportingController": "a b"}, "reportingController", "name part must consist"),
        ({"reportingInstance": "x" * 129}, "reportingInstance", "at most 128 characters"),
        ({"action": ""}, "action", "Required value"),
        ({"note": "x" * 1025}, "note", "at most 1024 characters"),
        ({"deprecatedCount": 1}, "count", "needs to be unset"),
        ({"deprecatedSource": {"component": "a"}}, "source", "needs to be unset"),
        ({"series": {"count": 1}}, "series.count", "should be at least 2"),
        (
            {"regarding": {"namespace": "other"}, "eventTime": None},
            "involvedObject.namespace",
            "does not match event.namespace",
        ),
    ],
)
def test_rules_of_the_new_form(
    causes: Any, change: dict[str, Any], field: str, message: str
) -> None:
    tree = {key: value for key, value in {**NEW, **change}.items() if value is not None}
    assert message in causes(GROUP_EVENT, tree).get(field, "")


def test_only_the_series_of_the_new_form_changes(causes: Any) -> None:
    series = {"count": 2, "lastObservedTime": "2026-11-23T12:01:00.000000Z"}
    assert causes(GROUP_EVENT, {**NEW, "series": series}, NEW) == {}
    assert "note" in causes(GROUP_EVENT, {**NEW, "note": "it ended"}, NEW)


def test_rules_of_the_old_form(causes: Any) -> None:
    assert causes(EVENT, CORE) == {}
    elsewhere = {**CORE, "involvedObject": {"namespace": "other"}}
    assert "involvedObject.namespace" in causes(EVENT, elsewhere)
    timed = {**CORE, "eventTime": "2026-11-23T12:00:00.000000Z"}
    assert set(causes(EVENT, timed)) == {"reportingInstance", "action"}


def test_both_forms_show_the_same_table() -> None:
    now: Any = msgspec.json.decode(b'"2026-11-23T12:05:00Z"', type=datetime)
    rows = [
        [column.cell(event, now) for column in kind.columns]
        for kind, event in ((EVENT, CORE), (GROUP_EVENT, to_group_form(CORE)))
    ]
    assert rows[0] == rows[1]
    assert rows[0][0] == "5m"
