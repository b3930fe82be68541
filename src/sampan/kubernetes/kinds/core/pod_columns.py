"""The columns of `kubectl get pods`, above all STATUS and RESTARTS.

The rules are those of Kubernetes' server-side printer (pkg/printers/internalversion, printPod).
"""

from datetime import datetime
from typing import NamedTuple

from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, part, text
from sampan.kubernetes.kinds.kind import Column, Object
from sampan.kubernetes.machinery import durations

_ENDED_PHASES = ("Succeeded", "Failed")


class _Summary(NamedTuple):
    reason: str
    ready: int
    restarts: int
    last_restart: str


def _condition(pod: Object, kind: str) -> Object:
    conditions = part(pod, "status", "conditions") or ()
    return next((it for it in conditions if it.get("type") == kind), {})


def _is_sidecar(container: Object) -> bool:
    return container.get("restartPolicy") == "Always"


def _finished(status: Object) -> str:
    return part(status, "lastState", "terminated", "finishedAt") or ""


def _ended_reason(ended: Object) -> str:
    """The reason a container gives for its end, or its signal or exit code."""
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _init_reason(status: Object, index: int, count: int) -> str:
    """Why initialization stands at this container."""
    state = status.get("state") or {}
    if "terminated" in state:
        return f"Init:{_ended_reason(state['terminated'])}"
    waiting = (state.get("waiting") or {}).get("reason", "")
    if waiting not in ("", "PodInitializing"):
        return f"Init:{waiting}"
    return f"Init:{index}/{count}"


def _start_reason(pod: Object) -> str:
    status = pod.get("status") or {}
    if _condition(pod, "PodScheduled").get("reason") == "SchedulingGated":
        return "SchedulingGated"
    return status.get("reason") or status.get("phase") or ""


def _initialization(pod: Object) -> tuple[str | None, _Summary, int, str]:
    """What keeps initialization (None when it is over), and the counts of all init containers;
    then restarts and last restart of the sidecars alone."""
    containers = part(pod, "spec", "initContainers") or []
    sidecars = {it["name"] for it in containers if _is_sidecar(it)}
    ready = restarts = sidecar_restarts = 0
    last = sidecar_last = ""
    for index, status in enumerate(part(pod, "status", "initContainerStatuses") or ()):
        restarts += status.get("restartCount", 0)
        last = max(last, _finished(status))
        if status.get("name") in sidecars:
            sidecar_restarts += status.get("restartCount", 0)
            sidecar_last = max(sidecar_last, _finished(status))
            if status.get("started"):
                ready += bool(status.get("ready"))
                continue
        ended = part(status, "state", "terminated")
        if ended is not None and ended.get("exitCode", 0) == 0:
            continue
        reason = _init_reason(status, index, len(containers))
        return reason, _Summary(reason, ready, restarts, last), sidecar_restarts, sidecar_last
    return None, _Summary("", ready, restarts, last), sidecar_restarts, sidecar_last


def _summarize(pod: Object) -> _Summary:
    reason = _start_reason(pod)
    blocked, init, restarts, last = _initialization(pod)
    ready = init.ready
    if blocked is not None:
        reason = blocked
    if blocked is None or _condition(pod, "Initialized").get("status") == "True":
        running = False
        for status in reversed(part(pod, "status", "containerStatuses") or []):
            restarts += status.get("restartCount", 0)
            last = max(last, _finished(status))
            state = status.get("state") or {}
            if (state.get("waiting") or {}).get("reason"):
                reason = state["waiting"]["reason"]
            elif "terminated" in state:
                reason = _ended_reason(state["terminated"])
            elif status.get("ready") and "running" in state:
                running = True
                ready += 1
        if reason == "Completed" and running:
            is_ready = _condition(pod, "Ready").get("status") == "True"
            reason = "Running" if is_ready else "NotReady"
    else:
        restarts, last = init.restarts, init.last_restart
    return _Summary(_while_deleted(pod, reason), ready, restarts, last)


def _while_deleted(pod: Object, reason: str) -> str:
    if not pod["metadata"].get("deletionTimestamp"):
        return reason
    status = pod.get("status") or {}
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return reason if status.get("phase") in _ENDED_PHASES else "Terminating"


def _ready(pod: Object) -> str:
    spec = pod.get("spec") or {}
    total = len(spec.get("containers") or ())
    total += sum(_is_sidecar(it) for it in spec.get("initContainers") or ())
    return f"{_summarize(pod).ready}/{total}"


def _restarts(pod: Object, now: datetime) -> str:
    summary = _summarize(pod)
    if summary.restarts and summary.last_restart:
        return f"{summary.restarts} ({durations.since(summary.last_restart, now)} ago)"
    return str(summary.restarts)


def _address(pod: Object) -> str:
    addresses = part(pod, "status", "podIPs") or ()
    first = addresses[0].get("ip", "") if addresses else ""
    return first or part(pod, "status", "podIP") or NONE


def _readiness_gates(pod: Object) -> str:
    gates = part(pod, "spec", "readinessGates") or ()
    met = sum(_condition(pod, gate["conditionType"]).get("status") == "True" for gate in gates)
    return f"{met}/{len(gates)}" if gates else NONE


COLUMNS = (
    NAME,
    text(
        "Ready",
        _ready,
        about="The aggregate readiness state of this pod for accepting traffic.",
    ),
    text(
        "Status",
        lambda pod: _summarize(pod).reason,
        about="The aggregate status of the containers in this pod.",
    ),
    Column(
        name="Restarts",
        type="string",
        cell=_restarts,
        description="The number of times the containers in this pod have been restarted and when "
        "the last container in this pod has restarted.",
    ),
    AGE,
    text("IP", _address, 1, "The address allocated to the pod."),
    text(
        "Node",
        lambda pod: part(pod, "spec", "nodeName") or NONE,
        1,
        "The node on which the pod runs.",
    ),
    text(
        "Nominated Node",
        lambda pod: part(pod, "status", "nominatedNodeName") or NONE,
        1,
        "The node that the scheduler makes room on for the pod.",
    ),
    text("Readiness Gates", _readiness_gates, 1, "Conditions beyond its containers' readiness."),
)
