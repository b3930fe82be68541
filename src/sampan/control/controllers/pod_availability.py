"""When a pod counts as available: ready for long enough. Pure."""

from datetime import datetime

from sampan.control.controllers.views import Pod
from sampan.kubernetes.machinery import timestamps


def seconds_until_available(pod: Pod, minimum_ready_seconds: int, now: datetime) -> float | None:
    """0 when the pod is available, the seconds that it must still stay ready, or None when it
    is not ready at all."""
    ready = pod.ready_condition
    if ready is None or ready.status != "True":
        return None
    if minimum_ready_seconds == 0:
        return 0.0
    if ready.last_transition_time is None:
        return float(minimum_ready_seconds)
    ready_for = (now - timestamps.parse(ready.last_transition_time)).total_seconds()
    return min(max(0.0, minimum_ready_seconds - ready_for), float(minimum_ready_seconds))
