"""HorizontalPodAutoscaler as autoscaling/v1 has it: one target for cpu, the rest in annotations.

The annotations keep what this version has no fields for (`autoscaler_annotations`).
"""

from collections.abc import Iterator

from sampan.kubernetes.kinds.autoscaling import autoscaler_annotations
from sampan.kubernetes.kinds.autoscaling.autoscaler_columns import COLUMNS
from sampan.kubernetes.kinds.autoscaling.autoscaler_validation import check_bounds
from sampan.kubernetes.kinds.autoscaling.pod_autoscalers import prepare_autoscaler
from sampan.kubernetes.kinds.columns import part
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import (
    HORIZONTAL_POD_AUTOSCALERS,
    HORIZONTAL_POD_AUTOSCALERS_V1,
)
from sampan.kubernetes.kinds.versions import as_version_of
from sampan.kubernetes.machinery.causes import invalid

# Where the fields of v2 lie that v1 has not: annotation, part of the object, field.
_ANNOTATED = (
    ("metrics", "spec", "metrics"),
    ("behavior", "spec", "behavior"),
    ("current-metrics", "status", "currentMetrics"),
    ("conditions", "status", "conditions"),
)
_CPU = "targetCPUUtilizationPercentage"
_CURRENT_CPU = "currentCPUUtilizationPercentage"


def to_v2(tree: Object) -> Object:
    """An object of v1 in the shape of v2; annotations that don't parse are passed over."""
    annotations = dict(tree["metadata"].get("annotations") or {})
    parts: dict[str, Object] = {
        name: dict(tree[name]) for name in ("spec", "status") if name in tree
    }
    for key, section, field in _ANNOTATED:
        kept = annotations.pop(autoscaler_annotations.PREFIX + key, None)
        value = None if kept is None else autoscaler_annotations.decode(key, kept)
        if value is not None:
            parts.setdefault(section, {})[field] = value
    spec, status = parts.setdefault("spec", {}), parts.get("status") or {}
    target, current = spec.pop(_CPU, None), status.pop(_CURRENT_CPU, None)
    if target is not None:
        wanted = {"type": "Utilization", "averageUtilization": target}
        metric = {"type": "Resource", "resource": {"name": "cpu", "target": wanted}}
        spec["metrics"] = [metric, *(spec.get("metrics") or ())]
    if current is not None:
        now = {"averageUtilization": current, "averageValue": "0"}
        metric = {"type": "Resource", "resource": {"name": "cpu", "current": now}}
        status["currentMetrics"] = [metric, *(status.get("currentMetrics") or ())]
    return {**tree, "metadata": _annotated(tree["metadata"], annotations), **parts}


def to_v1(tree: Object) -> Object:
    """An object of v2 in the shape of v1."""
    annotations = dict(tree["metadata"].get("annotations") or {})
    spec, status = dict(tree.get("spec") or {}), dict(tree.get("status") or {})
    for section, field, target, path in (
        (spec, "metrics", _CPU, "target"),
        (status, "currentMetrics", _CURRENT_CPU, "current"),
    ):
        metrics = list(section.get(field) or ())
        cpu = next((it for it in metrics if _utilization(it, path) is not None), None)
        if cpu is not None:
            section[target] = _utilization(cpu, path)
            section[field] = [it for it in metrics if it is not cpu]
    sections = {"spec": spec, "status": status}
    for key, section_name, field in _ANNOTATED:
        value = sections[section_name].pop(field, None)
        if value:
            annotations[autoscaler_annotations.PREFIX + key] = autoscaler_annotations.encode(
                key, value
            )
    return {**tree, "metadata": _annotated(tree["metadata"], annotations), **sections}


def _utilization(metric: Object, path: str) -> int | None:
    if part(metric, "resource", "name") != "cpu":
        return None
    found: int | None = part(metric, "resource", path, "averageUtilization")
    return found


def _annotated(metadata: Object, annotations: Object) -> Object:
    kept = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**kept, "annotations": annotations} if annotations else kept


def _default(autoscaler: Object) -> None:
    autoscaler.setdefault("spec", {}).setdefault("minReplicas", 1)


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from check_bounds(spec)
    if spec.get(_CPU, 1) < 1:
        yield invalid(f"spec.{_CPU}", spec[_CPU], "must be greater than 0")


HORIZONTAL_POD_AUTOSCALER_V1 = as_version_of(
    HORIZONTAL_POD_AUTOSCALERS,
    make(
        HORIZONTAL_POD_AUTOSCALERS_V1,
        default=_default,
        rules=_rules,
        prepare=prepare_autoscaler,
        status=True,
        short_names=("hpa",),
        categories=("all",),
        columns=COLUMNS,
    ),
    from_home=to_v1,
    to_home=to_v2,
)
