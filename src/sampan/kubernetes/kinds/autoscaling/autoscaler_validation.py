"""The rules of HorizontalPodAutoscalers (pkg/apis/autoscaling/validation)."""

from collections.abc import Iterator
from typing import Any

from sampan.kubernetes.kinds.field_rules import check_required_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector
from sampan.kubernetes.machinery import names, quantities
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported

_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_VALUES = ("averageUtilization", "averageValue", "value")
_TARGETS = ("AverageValue", "Utilization", "Value")
_POLICIES = ("Percent", "Pods")
_SELECTIONS = ("Disabled", "Max", "Min")
_LONGEST_WINDOW = 3600
_LONGEST_PERIOD = 1800
_POSITIVE = "must be greater than 0"


def autoscaler_rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from check_bounds(spec)
    for index, metric in enumerate(spec.get("metrics") or ()):
        yield from _check_metric(metric, f"spec.metrics[{index}]")
    for name, rules in (spec.get("behavior") or {}).items():
        yield from _check_scaling(rules, f"spec.behavior.{name}")


def check_bounds(spec: Object) -> Iterator[Cause]:
    """The target and the bounds of its replicas, in every version."""
    target = spec.get("scaleTargetRef") or {}
    for name in ("kind", "name"):
        yield from check_required_text(target, name, "spec.scaleTargetRef", names.path_segment)
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if least < 1:
        yield invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield invalid("spec.maxReplicas", most, _POSITIVE)
    if most < least:
        detail = "must be greater than or equal to `minReplicas`"
        yield invalid("spec.maxReplicas", most, detail)


def _check_metric(metric: Object, field: str) -> Iterator[Cause]:
    kind = metric.get("type", "")
    if not kind:
        yield required(f"{field}.type", "must specify a metric source type")
        return
    if kind not in _SOURCES:
        yield unsupported(f"{field}.type", kind, _SOURCES)
        return
    given = [name for name in _SOURCES.values() if name in metric]
    if _SOURCES[kind] not in given:
        detail = "must populate information for the given metric source"
        yield required(f"{field}.{_SOURCES[kind]}", detail)
    for name in given:
        if name != _SOURCES[kind]:
            detail = "must populate the given metric source only"
            yield forbidden(f"{field}.{name}", detail)
        elif name in ("resource", "containerResource"):
            yield from _check_resource(metric[name], f"{field}.{name}")
        else:
            yield from _check_measured(metric[name], f"{field}.{name}", name)


def _check_resource(source: Object, field: str) -> Iterator[Cause]:
    for name in ("name", "container") if field.endswith("containerResource") else ("name",):
        if not source.get(name):
            shown = "resource name" if name == "name" else "container"
            yield required(f"{field}.{name}", f"must specify a {shown}")
    target = source.get("target") or {}
    yield from _check_target(target, f"{field}.target")
    given = [name for name in _VALUES[:2] if target.get(name) is not None]
    if not given:
        detail = "must set either a target raw value or a target utilization"
        yield required(f"{field}.target.averageUtilization", detail)
    elif len(given) == 2:
        detail = "may not set both a target raw value and a target utilization"
        yield forbidden(f"{field}.target.averageValue", detail)


def _check_measured(source: Object, field: str, name: str) -> Iterator[Cause]:
    """A metric of pods, of an object, or from outside."""
    metric = source.get("metric") or {}
    yield from check_required_text(metric, "name", f"{field}.metric", names.path_segment)
    yield from check_label_selector(metric.get("selector"), f"{field}.metric.selector")
    if name == "object":
        described = source.get("describedObject") or {}
        for key in ("kind", "name"):
            path = f"{field}.describedObject"
            yield from check_required_text(described, key, path, names.path_segment)
    target = source.get("target") or {}
    yield from _check_target(target, f"{field}.target")
    if name == "pods":
        if not _is_positive(target.get("averageValue")):
            yield required(
                f"{field}.target.averageValue", "must specify a positive target averageValue"
            )
    elif target.get("value") is None and target.get("averageValue") is None:
        detail = "must set either a target value for metric or a per-pod target"
        yield required(f"{field}.target.averageValue", detail)
    elif target.get("value") is not None and target.get("averageValue") is not None:
        detail = "may not set both a target value for metric and a per-pod target"
        yield forbidden(f"{field}.target.averageValue", detail)


def _check_target(target: Object, field: str) -> Iterator[Cause]:
    kind = target.get("type", "")
    if not kind:
        yield required(f"{field}.type", "must specify a metric target type")
    elif kind not in _TARGETS:
        yield invalid(f"{field}.type", kind, "must be either Utilization, Value, or AverageValue")
    for name in _VALUES:
        if target.get(name) is not None and not _is_positive(target[name]):
            yield invalid(f"{field}.{name}", target[name], "must be positive")


def _is_positive(value: Any) -> bool:
    try:
        return value is not None and quantities.parse(value) > 0
    except quantities.InvalidQuantity:
        return True


def _check_scaling(rules: Object, field: str) -> Iterator[Cause]:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        detail = "must be greater than or equal to zero"
        yield invalid(f"{field}.stabilizationWindowSeconds", window, detail)
    if window is not None and window > _LONGEST_WINDOW:
        detail = f"must be less than or equal to {_LONGEST_WINDOW}"
        yield invalid(f"{field}.stabilizationWindowSeconds", window, detail)
    if "selectPolicy" in rules and rules["selectPolicy"] not in _SELECTIONS:
        yield unsupported(f"{field}.selectPolicy", rules["selectPolicy"], _SELECTIONS)
    policies = rules.get("policies") or ()
    if not policies:
        yield required(f"{field}.policies", "must specify at least one Policy")
    for index, policy in enumerate(policies):
        yield from _check_policy(policy, f"{field}.policies[{index}]")


def _check_policy(policy: Object, field: str) -> Iterator[Cause]:
    if policy.get("type") not in _POLICIES:
        yield unsupported(f"{field}.type", policy.get("type", ""), _POLICIES)
    if policy.get("value", 0) <= 0:
        yield invalid(f"{field}.value", policy.get("value", 0), "must be greater than zero")
    period = policy.get("periodSeconds", 0)
    if period <= 0:
        yield invalid(f"{field}.periodSeconds", period, "must be greater than zero")
    elif period > _LONGEST_PERIOD:
        detail = f"must be less than or equal to {_LONGEST_PERIOD}"
        yield invalid(f"{field}.periodSeconds", period, detail)
