"""The annotations of autoscaling/v1 have the forms that upstream gives them."""

import json
from typing import Any

import pytest

from sampan.kubernetes.kinds.autoscaling.autoscaler_annotations import decode, encode

INGRESS = {"kind": "Ingress", "name": "main", "apiVersion": "networking.k8s.io/v1"}
SELECTOR = {"matchLabels": {"queue": "mail"}}
PAIRS: list[tuple[Any, Any]] = [
    (
        {
            "type": "Object",
            "object": {
                "describedObject": INGRESS,
                "metric": {"name": "requests", "selector": SELECTOR},
                "target": {"type": "AverageValue", "averageValue": "5"},
            },
        },
        {
            "type": "Object",
            "object": {
                "target": INGRESS,
                "metricName": "requests",
                "targetValue": "0",
                "selector": SELECTOR,
                "averageValue": "5",
            },
        },
    ),
    (
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": "packets"},
                "target": {"type": "AverageValue", "averageValue": "1k"},
            },
        },
        {"type": "Pods", "pods": {"metricName": "packets", "targetAverageValue": "1k"}},
    ),
    (
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "memory",
                "container": "service",
                "target": {"type": "Utilization", "averageUtilization": 70},
            },
        },
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "memory",
                "targetAverageUtilization": 70,
                "container": "service",
            },
        },
    ),
    (
        {
            "type": "External",
            "external": {
                "metric": {"name": "waiting", "selector": SELECTOR},
                "target": {"type": "Value", "value": "30"},
            },
        },
        {
            "type": "External",
            "external": {"metricName": "waiting", "metricSelector": SELECTOR, "targetValue": "30"},
        },
    ),
]


@pytest.mark.parametrize(("second", "first"), PAIRS)
def test_a_metric_has_the_fields_of_the_first_version(second: Any, first: Any) -> None:
    text = encode("metrics", [second])
    assert json.loads(text) == [first]
    assert decode("metrics", text) == [second]


def test_what_is_measured_now() -> None:
    status = {
        "type": "Resource",
        "resource": {
            "name": "memory",
            "current": {"averageUtilization": 60, "averageValue": "1Gi"},
        },
    }
    text = encode("current-metrics", [status])
    resource = {
        "name": "memory",
        "currentAverageUtilization": 60,
        "currentAverageValue": "1Gi",
    }
    assert json.loads(text) == [{"type": "Resource", "resource": resource}]
    assert decode("current-metrics", text) == [status]


def test_a_behaviour_has_the_names_of_fields_in_go() -> None:
    behavior = {
        "scaleDown": {
            "stabilizationWindowSeconds": 30,
            "policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}],
        }
    }
    text = encode("behavior", behavior)
    assert json.loads(text) == {
        "ScaleUp": None,
        "ScaleDown": {
            "StabilizationWindowSeconds": 30,
            "SelectPolicy": None,
            "Policies": [{"Type": "Pods", "Value": 4, "PeriodSeconds": 60}],
            "Tolerance": None,
        },
    }
    assert decode("behavior", text) == behavior
    assert decode("behavior", json.dumps(behavior)) == behavior


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metrics", "{"),
        ("metrics", "{}"),
        ("metrics", "[5]"),
        ("metrics", '[{"type":"Pods","pods":{"metricName":7,"targetAverageValue":"1"}}]'),
        ("metrics", '[{"type":"Resource","resource":"cpu"}]' + "x"),
        ("behavior", "[]"),
        ("behavior", '{"ScaleUp":{"Policies":"all"}}'),
        ("conditions", '[{"type":[]}]'),
    ],
)
def test_texts_of_another_form_stand_for_nothing(name: str, text: str) -> None:
    assert decode(name, text) is None
