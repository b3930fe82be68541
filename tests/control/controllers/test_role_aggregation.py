"""A cluster role with an aggregationRule holds the rules of what it selects."""

from datetime import UTC, datetime

from sampan.control.controllers.identity_views import AggregationRule, ClusterRole
from sampan.control.controllers.role_aggregation import Snapshot, plan
from sampan.kubernetes.machinery.metadata import Metadata

NOW = datetime(2026, 1, 1, tzinfo=UTC)
READ = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
WRITE = {"verbs": ["update"], "apiGroups": [""], "resources": ["pods"]}


def role(name, *rules, selects=None, **labels):
    selectors = tuple({"matchLabels": each} for each in selects or ())
    rule = AggregationRule(selectors) if selects is not None else None
    metadata = Metadata(name=name, uid=f"uid-{name}", resource_version="7", labels=labels)
    return ClusterRole(metadata, rules=rules, aggregation_rule=rule)


def wanted(aggregated, *others):
    (patch,) = plan(Snapshot(aggregated, (aggregated, *others)), NOW).actions
    assert (patch.uid, patch.resource_version) == (aggregated.metadata.uid, "7")
    return patch.body["rules"]


def test_rules_are_gathered_by_label_and_in_order_of_names():
    aggregated = role("all", selects=[{"to": "all"}, {"extra": "yes"}])
    others = (role("b", WRITE, to="all"), role("a", READ, to="all"), role("c", READ, extra="yes"))
    assert wanted(aggregated, *others) == [READ, WRITE]


def test_what_no_longer_is_selected_goes():
    aggregated = role("all", READ, WRITE, selects=[{"to": "all"}])
    assert wanted(aggregated, role("a", READ, to="all"), role("b", WRITE, to="none")) == [READ]
    assert wanted(aggregated) == []


def test_a_role_does_not_gather_itself_and_rests_when_all_is_there():
    aggregated = role("all", READ, selects=[{"to": "all"}], to="all")
    snapshot = Snapshot(aggregated, (aggregated, role("a", READ, to="all")))
    assert plan(snapshot, NOW).actions == ()
    plain = role("plain", READ)
    assert plan(Snapshot(plain, (plain,)), NOW).actions == ()
