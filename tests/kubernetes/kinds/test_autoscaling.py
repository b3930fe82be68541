"""HorizontalPodAutoscalers in both versions."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sampan.kubernetes.kinds.autoscaling.pod_autoscalers import HORIZONTAL_POD_AUTOSCALER
from sampan.kubernetes.kinds.autoscaling.pod_autoscalers_v1 import (
    HORIZONTAL_POD_AUTOSCALER_V1,
    to_v1,
    to_v2,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
TARGET = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}
QUEUE = {
    "type": "External",
    "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "30"}},
}


def _autoscaler(**spec: Any) -> dict[str, Any]:
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a", "namespace": "d"},
        "spec": {"scaleTargetRef": dict(TARGET), "maxReplicas": 5, **spec},
    }
    HORIZONTAL_POD_AUTOSCALER.default(autoscaler)
    return autoscaler


def _causes(autoscaler: dict[str, Any]) -> dict[str, str]:
    found = HORIZONTAL_POD_AUTOSCALER.validate(autoscaler, None)
    return {cause.field: cause.message for cause in found}


def test_defaults() -> None:
    spec = _autoscaler()["spec"]
    assert spec["minReplicas"] == 1
    assert spec["metrics"] == [
        {
            "type": "Resource",
            "resource": {
                "name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 80},
            },
        }
    ]
    assert "behavior" not in spec
    behavior = _autoscaler(behavior={"scaleDown": {"selectPolicy": "Min"}})["spec"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert [it["type"] for it in behavior["scaleUp"]["policies"]] == ["Pods", "Percent"]
    assert behavior["scaleDown"] == {
        "selectPolicy": "Min",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"scaleTargetRef": {"kind": "", "name": "x"}}, "spec.scaleTargetRef.kind", None),
        ({"scaleTargetRef": {"kind": "A", "name": "x/y"}}, "spec.scaleTargetRef.name", None),
        (
            {"minReplicas": 0},
            "spec.minReplicas",
            "Invalid value: 0: must be greater than or equal to 1",
        ),
        ({"maxReplicas": 0}, "spec.maxReplicas", None),
        (
            {"minReplicas": 6},
            "spec.maxReplicas",
            "Invalid value: 5: must be greater than or equal to `minReplicas`",
        ),
        ({"metrics": [{"type": "Magic"}]}, "spec.metrics[0].type", None),
        (
            {"metrics": [{"type": "Resource"}]},
            "spec.metrics[0].resource",
            "Required value: must populate information for the given metric source",
        ),
        (
            {"metrics": [{**CPU, "pods": {}}]},
            "spec.metrics[0].pods",
            "Forbidden: must populate the given metric source only",
        ),
        (
            {"metrics": [{"type": "Pods", "pods": {"metric": {"name": "a"}, "target": {}}}]},
            "spec.metrics[0].pods.target.averageValue",
            "Required value: must specify a positive target averageValue",
        ),
        (
            {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 0}]}}},
            "spec.behavior.scaleUp.policies[0].value",
            "Invalid value: 0: must be greater than zero",
        ),
        (
            {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 3601}}},
            "spec.behavior.scaleDown.stabilizationWindowSeconds",
            "Invalid value: 3601: must be less than or equal to 3600",
        ),
    ],
)
def test_rules(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(_autoscaler(**spec))
    assert field in causes
    assert message is None or causes[field] == message
    assert _causes(_autoscaler(metrics=[CPU, QUEUE])) == {}


def test_what_one_version_lacks_is_kept_in_annotations() -> None:
    second = _autoscaler(metrics=[QUEUE, CPU], behavior={})
    second["status"] = {
        "currentReplicas": 2,
        "desiredReplicas": 3,
        "currentMetrics": [
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 9}}}
        ],
        "conditions": [{"type": "AbleToScale", "status": "True"}],
    }
    first = to_v1(second)
    assert first["spec"] == {
        "scaleTargetRef": TARGET,
        "minReplicas": 1,
        "maxReplicas": 5,
        "targetCPUUtilizationPercentage": 50,
    }
    assert first["status"] == {
        "currentReplicas": 2,
        "desiredReplicas": 3,
        "currentCPUUtilizationPercentage": 9,
    }
    assert first["metadata"]["annotations"].keys() == {
        "autoscaling.alpha.kubernetes.io/metrics",
        "autoscaling.alpha.kubernetes.io/behavior",
        "autoscaling.alpha.kubernetes.io/conditions",
    }
    again = to_v2(first)
    assert again["metadata"] == second["metadata"]
    assert again["spec"] == {**second["spec"], "metrics": [CPU, QUEUE]}
    assert again["status"]["conditions"] == second["status"]["conditions"]


def test_annotations_that_hold_no_json_are_passed_over() -> None:
    annotations = {"autoscaling.alpha.kubernetes.io/metrics": "{", "mine": "x"}
    tree = {"metadata": {"name": "a", "annotations": annotations}, "spec": {"maxReplicas": 2}}
    assert to_v2(tree)["metadata"]["annotations"] == {"mine": "x"}
    assert to_v2(tree)["spec"] == {"maxReplicas": 2}


def test_the_first_version_lies_where_the_second_does() -> None:
    kind = HORIZONTAL_POD_AUTOSCALER_V1
    assert kind.place == HORIZONTAL_POD_AUTOSCALER.resource
    assert kind.from_stored is not None
    shown = msgspec.json.decode(kind.from_stored(msgspec.json.encode(_autoscaler(metrics=[CPU]))))
    assert shown["apiVersion"] == "autoscaling/v1"
    assert shown["spec"]["targetCPUUtilizationPercentage"] == 50
    wrong = {"metadata": {"name": "a"}, "spec": {"targetCPUUtilizationPercentage": 0}}
    fields = {cause.field for cause in kind.validate(wrong, None)}
    assert "spec.targetCPUUtilizationPercentage" in fields


def test_columns() -> None:
    autoscaler = _autoscaler(metrics=[CPU, QUEUE])
    autoscaler["status"] = {
        "currentReplicas": 2,
        "currentMetrics": [
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 9}}}
        ],
    }
    cells = [column.cell(autoscaler, NOW) for column in HORIZONTAL_POD_AUTOSCALER.columns]
    assert cells == ["a", "Deployment/web", "cpu: 9%/50%, <unknown>/30", "1", 5, 2, "<unknown>"]
