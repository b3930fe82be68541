"""The status of a pod as the API shows it: a pure function of its spec and state.

Rules: the pod lifecycle of Kubernetes, KEP-3085 (PodReadyToStartContainers), KEP-580 (readiness
gates). Times of conditions are kept while their status stays the same.
"""

from datetime import UTC, datetime
from typing import Any

from sampan.kubernetes.machinery.timestamps import to_seconds
from sampan.node import pod_plan
from sampan.node.pod_state import PodState, Run
from sampan.node.pod_view import Condition, Container, Pod
from sampan.node.quality_of_service import quality_of_service

Object = dict[str, Any]


def timestamp(seconds: float) -> str:
    return to_seconds(datetime.fromtimestamp(int(seconds), UTC))


def pod_status(pod: Pod, state: PodState, now: float, host_address: str) -> Object:
    """The whole status that the node owns, ready to be sent as a merge patch."""
    main = [container_status(pod, item, state, now) for item in pod.spec.containers]
    init = [container_status(pod, item, state, now) for item in pod.spec.init_containers]
    added = [container_status(pod, item, state, now) for item in pod.spec.ephemeral_containers]
    phase = pod_phase(pod, state, now)
    reason, message = _reason(pod, state, now)
    address = host_address if pod.spec.host_network else state.address
    status: Object = {
        "phase": phase,
        "reason": reason or None,
        "message": message or None,
        "conditions": _conditions(pod, state, now, phase),
        "hostIP": host_address,
        "hostIPs": [{"ip": host_address}],
        "podIP": address or None,
        "podIPs": [{"ip": address}] if address else None,
        "startTime": timestamp(state.started) if state.started else None,
        "qosClass": quality_of_service(pod.spec),
        "containerStatuses": main,
    }
    if init:
        status["initContainerStatuses"] = init
    if added:
        status["ephemeralContainerStatuses"] = added
    return status


def pod_phase(pod: Pod, state: PodState, now: float) -> str:
    """Pending, Running, Succeeded or Failed; an ended phase is never left."""
    if pod.is_finished:
        return pod.status.phase
    if state.rejection:
        return "Failed"
    broken = pod_plan.is_overdue(pod, state, now) or pod_plan.init_failed(pod, state)
    if broken and not state.living:
        return "Failed"
    runs = [state.latest(item.name) for item in pod.spec.containers]
    if not _initialized(pod, state) or not all(_has_ever_started(run) for run in runs):
        return "Pending"
    if not state.living and (state.ending or pod_plan.has_ended(pod, state, now)):
        ended_well = all(run is not None and run.exit_code == 0 for run in runs)
        return "Succeeded" if ended_well else "Failed"
    return "Running"


def _has_ever_started(run: Run | None) -> bool:
    """A container that is made, but doesn't run yet, keeps its pod pending the first time."""
    return run is not None and (run.phase != "created" or run.attempt > 0)


def _reason(pod: Pod, state: PodState, now: float) -> tuple[str, str]:
    if state.rejection:
        return state.rejection.reason, state.rejection.message
    if pod_plan.is_overdue(pod, state, now):
        return "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
    return "", ""


def container_status(pod: Pod, container: Container, state: PodState, now: float) -> Object:
    run = state.latest(container.name)
    shown = _shown_state(pod, container, run, state, now)
    previous = _previous(container, run, state, shown)
    ready, started = _readiness(pod, container, run, state)
    digest = run.image_digest if run else ""
    return {
        "name": container.name,
        "image": container.image,
        "imageID": f"{container.image.split('@')[0]}@{digest}" if digest else "",
        **_without_empty({"containerID": _container_id(run)}),
        "ready": ready,
        "started": started,
        "restartCount": run.attempt if run else 0,
        "state": shown,
        "lastState": {"terminated": _terminated(previous)} if previous else {},
    }


def _container_id(run: Run | None) -> str | None:
    """None for a run that never came to life: the engine doesn't know it."""
    return f"sampan://{run.identifier}" if run and not run.reason else None


def _readiness(
    pod: Pod, container: Container, run: Run | None, state: PodState
) -> tuple[bool, bool]:
    if run is None:
        return False, False
    if container in pod.spec.ephemeral_containers:
        return False, run.is_running
    health = state.healthy(run)
    plain_init = container in pod.spec.init_containers and not container.is_sidecar
    if plain_init:
        return run.has_ended and run.exit_code == 0, run.is_running
    alive = run.is_running
    return alive and health.ready, alive and health.started


def _shown_state(
    pod: Pod, container: Container, run: Run | None, state: PodState, now: float
) -> Object:
    if run and run.is_running:
        return {"running": {"startedAt": timestamp(run.started)}}
    trouble = state.troubles.get(container.name) or state.troubles.get("")
    alive = not state.ending and not state.rejection and not pod.is_finished
    if trouble and alive and (run is None or _is_successor(pod, container, run, state)):
        return {"waiting": _without_empty({"reason": trouble.reason, "message": trouble.message})}
    if run and run.has_ended:
        if alive and _is_backing_off(pod, container, run, state, now):
            return {"waiting": _crash_loop(pod, container, run)}
        return {"terminated": _terminated(run)}
    reason = "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
    return {"waiting": {"reason": reason}}


def _is_successor(pod: Pod, container: Container, run: Run, state: PodState) -> bool:
    if not run.has_ended or container in pod.spec.ephemeral_containers:
        return False
    return run.sandbox != state.sandbox or pod_plan.restarts(pod, container, run)


def _is_backing_off(pod: Pod, container: Container, run: Run, state: PodState, now: float) -> bool:
    return pod_plan.restarts(pod, container, run) and pod_plan.wait_until(run, state) > now


def _crash_loop(pod: Pod, container: Container, run: Run) -> Object:
    delay = _duration(run.delay)
    name = f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"
    return {
        "reason": "CrashLoopBackOff",
        "message": f"back-off {delay} restarting failed container={container.name} pod={name}",
    }


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _previous(container: Container, run: Run | None, state: PodState, shown: Object) -> Run | None:
    """The ended run to show as the last state: the shown one's predecessor, or itself."""
    if run is None:
        return None
    if run.has_ended and "waiting" in shown:
        return run
    runs = state.runs.get(container.name, ())
    return runs[-2] if len(runs) > 1 else None


def _terminated(run: Run) -> Object:
    return _without_empty(
        {
            "exitCode": run.exit_code,
            "signal": run.exit_code - 128 if 128 < run.exit_code < 192 else 0,
            "reason": termination_reason(run),
            "message": run.message,
            "startedAt": timestamp(run.started) if run.started else None,
            "finishedAt": timestamp(run.finished) if run.finished else None,
            "containerID": _container_id(run),
        },
        keep="exitCode",
    )


def termination_reason(run: Run) -> str:
    if run.reason:
        return run.reason
    if run.out_of_memory:
        return "OOMKilled"
    return "Completed" if run.exit_code == 0 else "Error"


def _without_empty(values: Object, keep: str = "") -> Object:
    return {key: value for key, value in values.items() if value or key == keep}


def _initialized(pod: Pod, state: PodState) -> bool:
    if pod_plan.main_has_begun(pod, state):
        return True
    return all(pod_plan.init_is_done(item, state) for item in pod.spec.init_containers)


def _conditions(pod: Pod, state: PodState, now: float, phase: str) -> list[Object]:
    finished = phase in {"Succeeded", "Failed"}
    alive = state.sandbox > 0 and not finished and not state.released
    unready = [
        item.name
        for item in (*_sidecars(pod), *pod.spec.containers)
        if not _readiness(pod, item, state.latest(item.name), state)[0]
    ]
    incomplete = [
        item.name for item in pod.spec.init_containers if not pod_plan.init_is_done(item, state)
    ]
    initialized = _initialized(pod, state) or phase == "Succeeded"
    why = _unready_reason(phase, unready)
    gates = _open_gates(pod)
    ready = not why[0] and not gates
    wanted = [
        ("PodReadyToStartContainers", alive, "", ""),
        ("Initialized", initialized, *_uninitialized_reason(initialized, incomplete, phase)),
        ("Ready", ready, *(why if why[0] else _gate_reason(gates))),
        ("ContainersReady", not why[0], *why),
    ]
    return _keep_times(pod, wanted, timestamp(now))


def _sidecars(pod: Pod) -> list[Container]:
    return [item for item in pod.spec.init_containers if item.is_sidecar]


def _unready_reason(phase: str, unready: list[str]) -> tuple[str, str]:
    if phase == "Succeeded":
        return "PodCompleted", ""
    if phase == "Failed":
        return "PodFailed", ""
    if not unready:
        return "", ""
    return "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"


def _uninitialized_reason(done: bool, incomplete: list[str], phase: str) -> tuple[str, str]:
    if phase == "Succeeded":
        return "PodCompleted", ""
    if done:
        return "", ""
    return (
        "ContainersNotInitialized",
        f"containers with incomplete status: [{' '.join(incomplete)}]",
    )


def _open_gates(pod: Pod) -> list[str]:
    """The readiness gates whose condition isn't True."""
    true = {item.type for item in pod.status.conditions if item.status == "True"}
    wanted = [gate.condition_type for gate in pod.spec.readiness_gates]
    return [gate for gate in wanted if gate not in true]


def _gate_reason(gates: list[str]) -> tuple[str, str]:
    if not gates:
        return "", ""
    return (
        "ReadinessGatesNotReady",
        "the status of pod readiness gates is not True: " + ", ".join(gates),
    )


def _keep_times(pod: Pod, wanted: list[tuple[str, bool, str, str]], now: str) -> list[Object]:
    """Conditions with the times of those that stay; conditions of others are kept whole."""
    held = {item.type: item for item in pod.status.conditions}
    own: list[Object] = []
    for kind, truth, reason, message in wanted:
        status = "True" if truth else "False"
        before = held.get(kind)
        same = before is not None and before.status == status
        since = before.last_transition_time if before and same else now
        own.append(_condition(Condition(kind, status, reason, message, since or now)))
    names = {kind for kind, *_ in wanted}
    scheduled = held.get("PodScheduled")
    if scheduled is None:
        held["PodScheduled"] = Condition("PodScheduled", "True", last_transition_time=now)
    return own + [_condition(item) for item in held.values() if item.type not in names]


def _condition(condition: Condition) -> Object:
    return {
        "type": condition.type,
        "status": condition.status,
        "lastTransitionTime": condition.last_transition_time,
        **_without_empty({"reason": condition.reason, "message": condition.message}),
    }
