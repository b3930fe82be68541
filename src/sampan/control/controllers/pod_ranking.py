"""Which of a template's pods is missed least: the order in which a controller deletes them. Pure.

The order is that of Kubernetes' ActivePodsWithRanks (KEP-2185, KEP-2255).
"""

from datetime import datetime

from sampan.control.controllers.views import Pod
from sampan.kubernetes.machinery import timestamps

_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}


def least_useful_first(active: list[Pod], neighbours: dict[str, int], now: datetime) -> list[Pod]:
    """Unassigned, pending, not ready, cheap, crowded, ready for a short time, restarted often,
    young. Each pod that goes makes its node less crowded, so that those that stay are spread."""
    left = dict(neighbours)
    crowds: dict[str, int] = {}
    for pod in sorted(active, key=lambda pod: (_state_rank(pod), _age_rank(pod, now))):
        node = pod.spec.node_name
        crowds[pod.metadata.uid] = left.get(node, 0)
        left[node] = left.get(node, 0) - 1
    return sorted(
        active,
        key=lambda pod: (_state_rank(pod), -crowds[pod.metadata.uid], _age_rank(pod, now)),
    )


def _state_rank(pod: Pod) -> tuple[bool, int, bool, int]:
    return (
        bool(pod.spec.node_name),
        _PHASE_ORDER.get(pod.status.phase, 1),
        pod.is_ready,
        _deletion_cost(pod),
    )


def _age_rank(pod: Pod, now: datetime) -> tuple[int, int, int, str]:
    ready = pod.ready_condition
    ready_at = ready.last_transition_time if ready is not None and pod.is_ready else None
    restarts = sum(status.restart_count for status in pod.status.container_statuses)
    return (
        _age_class(ready_at, now),
        -restarts,
        _age_class(pod.metadata.creation_timestamp, now),
        pod.metadata.uid,
    )


def _age_class(timestamp: str | None, now: datetime) -> int:
    """Ages on a logarithmic scale, so that among pods of about one age none is preferred."""
    if timestamp is None:
        return 0
    seconds = int((now - timestamps.parse(timestamp)).total_seconds())
    return max(seconds, 0).bit_length()


def _deletion_cost(pod: Pod) -> int:
    text = pod.metadata.annotations.get("controller.kubernetes.io/pod-deletion-cost", "0")
    digits = text.removeprefix("-")
    return int(text) if digits.isdecimal() and len(digits) <= 10 else 0
