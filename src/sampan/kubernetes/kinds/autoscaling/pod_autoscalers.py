"""HorizontalPodAutoscaler (autoscaling/v2): as many replicas as the load wants."""

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.autoscaling.autoscaler_columns import COLUMNS
from sampan.kubernetes.kinds.autoscaling.autoscaler_validation import autoscaler_rules
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import HORIZONTAL_POD_AUTOSCALERS

_UTILIZATION = 80
_DOUBLE = {"type": "Percent", "value": 100, "periodSeconds": 15}
_FOUR_PODS = {"type": "Pods", "value": 4, "periodSeconds": 15}


def _default(autoscaler: Object) -> None:
    """pkg/apis/autoscaling/v2 SetDefaults_HorizontalPodAutoscaler and GenerateHPAScaleRules."""
    spec = autoscaler.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _UTILIZATION}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if "behavior" in spec:
        up = spec["behavior"].setdefault("scaleUp", {})
        up.setdefault("stabilizationWindowSeconds", 0)
        up.setdefault("selectPolicy", "Max")
        up.setdefault("policies", [dict(_FOUR_PODS), dict(_DOUBLE)])
        down = spec["behavior"].setdefault("scaleDown", {})
        down.setdefault("selectPolicy", "Max")
        down.setdefault("policies", [dict(_DOUBLE)])


def prepare_autoscaler(new: Object, old: Object | None) -> None:
    """Of both versions."""
    strategies.keep_status(new, old)
    if old is None:
        new["status"] = {"desiredReplicas": 0, "currentReplicas": 0}


HORIZONTAL_POD_AUTOSCALER = make(
    HORIZONTAL_POD_AUTOSCALERS,
    default=_default,
    rules=autoscaler_rules,
    prepare=prepare_autoscaler,
    status=True,
    short_names=("hpa",),
    categories=("all",),
    columns=COLUMNS,
)
