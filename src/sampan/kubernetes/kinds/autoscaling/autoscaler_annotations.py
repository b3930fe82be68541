"""What autoscaling/v1 has no fields for, as it is written into annotations.

The forms are upstream's (pkg/apis/autoscaling/v1 `conversion.go`): metrics have the fields that
were v2beta1's, a behaviour has the names of Go's own fields. What isn't of such a form is nothing.
"""

from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.schema import structure

PREFIX = "autoscaling.alpha.kubernetes.io/"

_Path = tuple[str, ...]
_NAME: tuple[str, _Path] = ("metricName", ("metric", "name"))
# For each sort of metric: the name in the annotation, and where v2 has it. "@" stands for `target`
# in a specification and for `current` in a status.
_FIELDS: dict[str, tuple[tuple[str, _Path], ...]] = {
    "object": (
        ("target", ("describedObject",)),
        _NAME,
        ("@Value", ("@", "value")),
        ("selector", ("metric", "selector")),
        ("averageValue", ("@", "averageValue")),
    ),
    "pods": (
        _NAME,
        ("@AverageValue", ("@", "averageValue")),
        ("selector", ("metric", "selector")),
    ),
    "resource": (
        ("name", ("name",)),
        ("@AverageUtilization", ("@", "averageUtilization")),
        ("@AverageValue", ("@", "averageValue")),
    ),
    "containerResource": (
        ("name", ("name",)),
        ("@AverageUtilization", ("@", "averageUtilization")),
        ("@AverageValue", ("@", "averageValue")),
        ("container", ("container",)),
    ),
    "external": (
        _NAME,
        ("metricSelector", ("metric", "selector")),
        ("@Value", ("@", "value")),
        ("@AverageValue", ("@", "averageValue")),
    ),
}
_TARGET_TYPES = (
    ("averageUtilization", "Utilization"),
    ("averageValue", "AverageValue"),
    ("value", "Value"),
)
_RULES = ("StabilizationWindowSeconds", "SelectPolicy", "Policies", "Tolerance")
_POLICY = ("Type", "Value", "PeriodSeconds")
_V2 = "io.k8s.api.autoscaling.v2."
_SCHEMAS = {
    "metrics": "MetricSpec",
    "current-metrics": "MetricStatus",
    "behavior": "HorizontalPodAutoscalerBehavior",
    "conditions": "HorizontalPodAutoscalerCondition",
}


def encode(name: str, value: Any) -> str:
    """The text of the annotation `name` (without its prefix) for a value of v2."""
    written = value
    if name == "metrics":
        written = [_metric_of_v1(it, "target") for it in value]
    elif name == "current-metrics":
        written = [_metric_of_v1(it, "current") for it in value]
    elif name == "behavior":
        rules = {key: value.get(_lower(key)) for key in ("ScaleUp", "ScaleDown")}
        written = {key: it and _rules_of_go(it) for key, it in rules.items()}
    return msgspec.json.encode(written).decode()


def decode(name: str, text: str) -> Any:
    """The value of v2 that an annotation stands for; None when it stands for none."""
    try:
        value = msgspec.json.decode(text, type=dict if name == "behavior" else list[dict[str, Any]])
        if name == "behavior":
            found = _lowered(value)
            return found if _holds(name, found) else None
        if name != "conditions":
            place = "target" if name == "metrics" else "current"
            value = [_metric_of_v2(it, place) for it in value]
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if all(_holds(name, it) for it in value) else None


def _holds(name: str, value: Object) -> bool:
    """Whether a value has the form that v2's schema wants."""
    try:
        return not structure.check(_V2 + _SCHEMAS[name], value).causes
    except structure.WrongType:
        return False


def _metric_of_v1(metric: Object, place: str) -> Object:
    sort = next((it for it in _FIELDS if it in metric), "")
    found: Object = {"type": metric.get("type")}
    if not sort:
        return found
    given = found[sort] = {}
    for name, path in _FIELDS[sort]:
        value: Any = metric[sort]
        for key in path:
            value = (value or {}).get(place if key == "@" else key)
        if value is not None:
            given[name.replace("@", place)] = value
    if sort == "object":
        # No pointer in Go: it is there even when nothing was said.
        given.setdefault(f"{place}Value", "0")
    return found


def _metric_of_v2(metric: Object, place: str) -> Object:
    sort = next((it for it in _FIELDS if isinstance(metric.get(it), dict)), "")
    found: Object = {"type": metric.get("type")}
    if not sort:
        return found
    given = found[sort] = {}
    for name, path in _FIELDS[sort]:
        value = metric[sort].get(name.replace("@", place))
        if value is None:
            continue
        section = given
        for key in path[:-1]:
            section = section.setdefault(place if key == "@" else key, {})
        section[path[-1]] = value
    amounts: Object = given.setdefault(place, {})
    if place == "target":
        if "averageValue" in amounts:
            amounts.pop("value", None)
        amounts["type"] = next((it for name, it in _TARGET_TYPES if name in amounts), "")
    return found


def _rules_of_go(rules: Object) -> Object:
    found = {name: rules.get(_lower(name)) for name in _RULES}
    policies = rules.get("policies")
    if policies is not None:
        found["Policies"] = [{name: it.get(_lower(name)) for name in _POLICY} for it in policies]
    return found


def _lowered(tree: Any) -> Any:
    """Go reads names in any case; only their first letter ever differs."""
    if isinstance(tree, dict):
        return {_lower(name): _lowered(it) for name, it in tree.items() if it is not None}
    return [_lowered(it) for it in tree] if isinstance(tree, list) else tree


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
