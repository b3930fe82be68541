"""The columns of `kubectl get hpa` (pkg/printers/internalversion, printHorizontalPodAutoscaler)."""

from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, part, text
from sampan.kubernetes.kinds.kind import Object

_SHOWN = 2
_UNKNOWN = "<unknown>"


def _targets(autoscaler: Object) -> str:
    wanted = part(autoscaler, "spec", "metrics") or []
    if not wanted:
        return NONE
    found = part(autoscaler, "status", "currentMetrics") or []
    shown = [
        _metric(metric, found[index] if index < len(found) else {})
        for index, metric in enumerate(wanted[:_SHOWN])
    ]
    more = f" + {len(wanted) - _SHOWN} more..." if len(wanted) > _SHOWN else ""
    return ", ".join(shown) + more


def _metric(wanted: Object, found: Object) -> str:
    """`cpu: 12%/80%`: what is, and what should be."""
    kind = wanted.get("type", "")
    member = kind[:1].lower() + kind[1:]
    source, now = wanted.get(member) or {}, part(found, member, "current") or {}
    target = source.get("target") or {}
    label = f"{source.get('name', '')}: " if member in ("resource", "containerResource") else ""
    if target.get("averageUtilization") is not None and label:
        current = now.get("averageUtilization")
        shown = _UNKNOWN if current is None else f"{current}%"
        return f"{label}{shown}/{target['averageUtilization']}%"
    if target.get("averageValue") is not None:
        current = now.get("averageValue") or _UNKNOWN
        suffix = " (avg)" if member in ("object", "external") else ""
        return f"{label}{current}/{target['averageValue']}{suffix}"
    if target.get("value") is not None:
        return f"{label}{now.get('value') or _UNKNOWN}/{target['value']}"
    return f"{label}{_UNKNOWN}/<auto>" if label else "<unknown type>"


def _reference(autoscaler: Object) -> str:
    target = part(autoscaler, "spec", "scaleTargetRef") or {}
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def _least(autoscaler: Object) -> str:
    least = part(autoscaler, "spec", "minReplicas")
    return "<unset>" if least is None else str(least)


COLUMNS = (
    NAME,
    text("Reference", _reference, about="What is scaled."),
    text("Targets", _targets, about="The metrics as they are and as they should be."),
    text("MinPods", _least, about="The lower limit of replicas."),
    text("MaxPods", lambda it: part(it, "spec", "maxReplicas") or 0, about="The upper limit."),
    text(
        "Replicas",
        lambda it: part(it, "status", "currentReplicas") or 0,
        about="Replicas that there are.",
    ),
    AGE,
)
