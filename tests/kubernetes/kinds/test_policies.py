"""Disruption budgets, priority classes, runtime classes, quotas and limits."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.kubernetes.kinds.core.limit_ranges import LIMIT_RANGE
from sampan.kubernetes.kinds.core.resource_quotas import RESOURCE_QUOTA
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.node import RUNTIME_CLASS
from sampan.kubernetes.kinds.policy import POD_DISRUPTION_BUDGET
from sampan.kubernetes.kinds.scheduling import PRIORITY_CLASS

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def _made(kind: Kind, name: str = "a", **rest: Any) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": "d"} if kind.resource.namespaced else {})
    tree = {"kind": kind.resource.kind, "metadata": metadata, **rest}
    kind.default(tree)
    return tree


def _causes(kind: Kind, new: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, str]:
    return {cause.field: cause.message for cause in kind.validate(new, old)}


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        (
            {"minAvailable": 1, "maxUnavailable": 1},
            "spec",
            'Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and '
            "maxUnavailable cannot be both set",
        ),
        ({"minAvailable": -1}, "spec.minAvailable", None),
        ({"maxUnavailable": "110%"}, "spec.maxUnavailable", None),
        ({"unhealthyPodEvictionPolicy": "Never"}, "spec.unhealthyPodEvictionPolicy", None),
        ({"selector": {"matchLabels": {"a b": "c"}}}, "spec.selector.matchLabels", None),
    ],
)
def test_rules_of_budgets(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(POD_DISRUPTION_BUDGET, _made(POD_DISRUPTION_BUDGET, spec=spec))
    assert field in causes
    assert message is None or causes[field] == message


def test_a_new_budget_allows_nothing_yet() -> None:
    budget = _made(POD_DISRUPTION_BUDGET, spec={"minAvailable": "50%"})
    POD_DISRUPTION_BUDGET.prepare(budget, None)
    assert budget["status"]["disruptionsAllowed"] == 0
    cells = [column.cell(budget, NOW) for column in POD_DISRUPTION_BUDGET.columns]
    assert cells == ["a", "50%", "N/A", 0, "<unknown>"]


@pytest.mark.parametrize(
    ("name", "value", "field", "message"),
    [
        (
            "a",
            1_000_000_001,
            "value",
            "Forbidden: maximum allowed value of a user defined priority is 1000000000",
        ),
        (
            "system-mine",
            1,
            "metadata.name",
            "Forbidden: priority class names with 'system-' prefix are reserved for system use "
            "only. error: system-mine is not a known system priority class",
        ),
        ("system-node-critical", 5, "metadata.name", None),
    ],
)
def test_rules_of_priority_classes(name: str, value: int, field: str, message: str | None) -> None:
    causes = _causes(PRIORITY_CLASS, _made(PRIORITY_CLASS, name, value=value))
    assert list(causes) == [field]
    assert message is None or causes[field] == message


def test_the_value_of_a_priority_class_stays() -> None:
    old = _made(PRIORITY_CLASS, value=5)
    assert old["preemptionPolicy"] == "PreemptLowerPriority"
    assert _causes(PRIORITY_CLASS, _made(PRIORITY_CLASS, value=5, description="x"), old) == {}
    new = _made(PRIORITY_CLASS, value=6, preemptionPolicy="Never")
    assert _causes(PRIORITY_CLASS, new, old) == {
        "value": "Forbidden: may not be changed in an update.",
        "preemptionPolicy": 'Invalid value: "Never": field is immutable',
    }


def test_rules_of_runtime_classes() -> None:
    right = _made(RUNTIME_CLASS, handler="crun", overhead={"podFixed": {"memory": "1Mi"}})
    assert _causes(RUNTIME_CLASS, right) == {}
    assert "handler" in _causes(RUNTIME_CLASS, _made(RUNTIME_CLASS, handler="A_b"))
    assert (
        "field is immutable"
        in _causes(RUNTIME_CLASS, {**right, "handler": "runc"}, right)["handler"]
    )
    toleration = {"key": "a", "operator": "Exists"}
    twice = _made(RUNTIME_CLASS, handler="a", scheduling={"tolerations": [toleration, toleration]})
    assert list(_causes(RUNTIME_CLASS, twice)) == ["scheduling.tolerations[1]"]
    negative = _made(RUNTIME_CLASS, handler="a", overhead={"podFixed": {"cpu": "-1"}})
    assert list(_causes(RUNTIME_CLASS, negative)) == ["overhead.podFixed[cpu]"]


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        (
            {"hard": {"things": "1"}},
            "spec.hard[things]",
            'Invalid value: "things": must be a standard resource for quota',
        ),
        ({"hard": {"pods": "-1"}}, "spec.hard[pods]", None),
        (
            {"hard": {"pods": "1500m"}},
            "spec.hard[pods]",
            'Invalid value: "1500m": must be an integer',
        ),
        ({"scopes": ["Magic"]}, "spec.scopes", 'Invalid value: ["Magic"]: unsupported scope'),
        (
            {"scopes": ["BestEffort", "NotBestEffort"]},
            "spec.scopes",
            'Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes',
        ),
        (
            {"scopes": ["BestEffort"], "hard": {"cpu": "1"}},
            "spec.scopes",
            'Invalid value: ["BestEffort"]: unsupported scope applied to resource',
        ),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]
                }
            },
            "spec.scopeSelector.matchExpressions[0].values",
            None,
        ),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [
                        {"scopeName": "BestEffort", "operator": "In", "values": ["x"]}
                    ]
                }
            },
            "spec.scopeSelector.matchExpressions[0].operator",
            None,
        ),
    ],
)
def test_rules_of_quotas(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(RESOURCE_QUOTA, _made(RESOURCE_QUOTA, spec=spec))
    assert field in causes
    assert message is None or causes[field] == message


def test_quotas_count_what_their_names_say() -> None:
    hard = {
        "requests.cpu": "1",
        "limits.memory": "1Gi",
        "count/deployments.apps": "5",
        "requests.nvidia.com/gpu": "1",
        "gold.storageclass.storage.k8s.io/requests.storage": "5Gi",
        "requests.hugepages-2Mi": "4Mi",
    }
    quota = _made(RESOURCE_QUOTA, spec={"hard": hard})
    assert _causes(RESOURCE_QUOTA, quota) == {}
    scoped = _made(RESOURCE_QUOTA, spec={"hard": hard, "scopes": ["NotTerminating"]})
    assert "spec.scopes" in _causes(RESOURCE_QUOTA, scoped, quota)
    quota["status"] = {"hard": hard, "used": {"limits.memory": "1Mi"}}
    cells = {column.name: column.cell(quota, NOW) for column in RESOURCE_QUOTA.columns}
    assert cells["Limit"] == "limits.memory: 1Mi/1Gi"
    assert cells["Request"].startswith("count/deployments.apps: 0/5, ")


def test_defaults_of_limits() -> None:
    item = {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Mi"}}
    limits = _made(LIMIT_RANGE, spec={"limits": [dict(item), {"type": "Pod", "max": {"cpu": "1"}}]})
    assert limits["spec"]["limits"] == [
        {**item, "default": {"cpu": "2"}, "defaultRequest": {"cpu": "2", "memory": "1Mi"}},
        {"type": "Pod", "max": {"cpu": "1"}},
    ]


@pytest.mark.parametrize(
    ("item", "field", "message"),
    [
        ({"type": "Pod", "default": {"cpu": "1"}}, "default", None),
        ({"type": "PersistentVolumeClaim"}, "", None),
        (
            {"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}},
            "min[cpu]",
            'Invalid value: "2": min value 2 is greater than max value 1',
        ),
        (
            {"type": "Container", "defaultRequest": {"cpu": "2"}, "default": {"cpu": "1"}},
            "defaultRequest[cpu]",
            'Invalid value: "2": default request value 2 is greater than default value 1',
        ),
        (
            {"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}},
            "maxLimitRequestRatio[cpu]",
            None,
        ),
        ({"type": "a b"}, "type", None),
    ],
)
def test_rules_of_limits(item: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(LIMIT_RANGE, _made(LIMIT_RANGE, spec={"limits": [item]}))
    path = f"spec.limits[0].{field}".removesuffix(".")
    assert path in causes
    assert message is None or causes[path] == message


def test_each_type_is_limited_once() -> None:
    item = {"type": "Pod", "max": {"cpu": "1"}}
    limits = _made(LIMIT_RANGE, spec={"limits": [item, item]})
    assert _causes(LIMIT_RANGE, limits) == {"spec.limits[1].type": 'Duplicate value: "Pod"'}
