"""The status of a pod, told by pairs of a state and what the API then shows."""

from typing import Any

import pytest

from sampan.node.pod_plan import plan
from sampan.node.pod_state import Ending, Health, PodState, Run, Trouble
from sampan.node.pod_status import pod_phase, pod_status, timestamp

NOW = 1000.0
HOST = "10.44.0.1"
INIT = {"name": "first", "image": "hello"}


def state(*runs: Run, **values: Any) -> PodState:
    found: dict[str, tuple[Run, ...]] = {}
    for run in runs:
        found[run.container] = (*found.get(run.container, ()), run)
    given = {"sandbox": 1, "runs": found, "started": 900.0, "address": "10.42.0.5", **values}
    return PodState(**given)


def container(status: dict[str, Any], name: str = "main") -> dict[str, Any]:
    every = status["containerStatuses"] + status.get("initContainerStatuses", [])
    return next(item for item in every if item["name"] == name)


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(item for item in status["conditions"] if item["type"] == kind)


def test_a_pod_that_was_just_bound_is_pending(make_pod):
    status = pod_status(make_pod(), PodState(started=900.0), NOW, HOST)
    assert status["phase"] == "Pending"
    assert status["podIP"] is None
    assert container(status)["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert condition(status, "PodReadyToStartContainers")["status"] == "False"
    assert condition(status, "Ready")["reason"] == "ContainersNotReady"
    assert condition(status, "Ready")["message"] == "containers with unready status: [main]"


def test_a_running_pod_shows_its_address_and_its_container(make_pod, make_run):
    run = make_run(image_digest="sha256:1", image="docker.io/library/hello:latest")
    status = pod_status(make_pod(), state(run, health={"main-0": Health(True, True)}), NOW, HOST)
    assert status["phase"] == "Running"
    assert status["podIP"] == "10.42.0.5"
    assert status["hostIPs"] == [{"ip": HOST}]
    assert status["qosClass"] == "BestEffort"
    shown = container(status)
    assert shown["state"] == {"running": {"startedAt": timestamp(900)}}
    assert shown["containerID"] == "sampan://main-0"
    assert shown["imageID"] == "hello@sha256:1"
    assert (shown["ready"], shown["started"], shown["restartCount"]) == (True, True, 0)
    for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"):
        assert condition(status, kind)["status"] == "True"


def test_a_pod_is_pending_until_each_container_has_been_started(make_pod, make_run):
    status = pod_status(make_pod(), state(make_run(phase="created")), NOW, HOST)
    assert status["phase"] == "Pending"
    assert container(status)["state"] == {"waiting": {"reason": "ContainerCreating"}}
    again = state(make_run(phase="created", attempt=1))
    assert pod_status(make_pod(), again, NOW, HOST)["phase"] == "Running"


def test_a_running_container_that_no_probe_has_passed_is_not_ready(make_pod, make_run):
    status = pod_status(make_pod(), state(make_run()), NOW, HOST)
    assert status["phase"] == "Running"
    assert not container(status)["ready"]
    assert condition(status, "Ready")["status"] == "False"


def test_a_pod_on_the_hosts_network_has_the_hosts_address(make_pod, make_run):
    status = pod_status(make_pod({"hostNetwork": True}), state(make_run()), NOW, HOST)
    assert status["podIP"] == HOST


def test_a_crashed_container_waits_in_crash_loop_back_off(make_pod, make_run):
    ended = make_run(ended_at=NOW, exit_code=2, attempt=1, delay=10.0, identifier="main-1")
    shown = container(pod_status(make_pod(), state(ended), NOW, HOST))
    assert shown["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert shown["state"]["waiting"]["message"].startswith("back-off 10s restarting failed")
    assert shown["lastState"]["terminated"]["exitCode"] == 2
    assert shown["lastState"]["terminated"]["reason"] == "Error"
    assert shown["restartCount"] == 1


def test_a_restarted_container_shows_the_run_before_as_its_last_state(make_pod, make_run):
    before = make_run(ended_at=950.0, exit_code=1)
    now = make_run(identifier="main-1", attempt=1)
    shown = container(pod_status(make_pod(), state(before, now), NOW, HOST))
    assert "running" in shown["state"]
    assert shown["lastState"]["terminated"]["containerID"] == "sampan://main-0"


def test_a_container_at_its_memory_limit_was_killed_for_it(make_pod, make_run):
    ended = make_run(ended_at=NOW, exit_code=137, out_of_memory=True, delay=10.0)
    shown = container(pod_status(make_pod(), state(ended), NOW, HOST))
    terminated = shown["lastState"]["terminated"]
    assert (terminated["reason"], terminated["exitCode"]) == ("OOMKilled", 137)
    assert terminated["signal"] == 9


def test_a_missing_image_is_shown_as_the_reason_to_wait(make_pod):
    trouble = Trouble("ErrImagePull", "no such image", until=NOW + 10)
    shown = container(pod_status(make_pod(), state(troubles={"main": trouble}), NOW, HOST))
    assert shown["state"] == {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}


def test_a_command_that_cannot_be_executed_is_a_run_without_a_container(make_pod, make_run):
    refused = make_run(
        ended_at=NOW,
        started=0.0,
        exit_code=128,
        reason="StartError",
        delay=10.0,
        message="not found",
    )
    shown = container(pod_status(make_pod(), state(refused), NOW, HOST))
    assert "containerID" not in shown
    assert shown["lastState"]["terminated"]["reason"] == "StartError"
    assert shown["lastState"]["terminated"]["message"] == "not found"


def test_main_containers_wait_for_init_containers(make_pod, make_run):
    pod = make_pod({"initContainers": [INIT]})
    status = pod_status(pod, state(make_run("first")), NOW, HOST)
    assert status["phase"] == "Pending"
    assert container(status)["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert "running" in container(status, "first")["state"]
    initialized = condition(status, "Initialized")
    assert initialized["message"] == "containers with incomplete status: [first]"


def test_a_done_init_container_is_completed_and_ready(make_pod, make_run):
    pod = make_pod({"initContainers": [INIT]})
    status = pod_status(pod, state(make_run("first", ended_at=950.0)), NOW, HOST)
    shown = container(status, "first")
    assert shown["state"]["terminated"]["reason"] == "Completed"
    assert shown["ready"]
    assert condition(status, "Initialized")["status"] == "True"


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (1, "Failed")])
def test_a_pod_that_is_not_restarted_ends(make_pod, make_run, code, phase):
    pod = make_pod({"restartPolicy": "Never"})
    status = pod_status(pod, state(make_run(ended_at=NOW, exit_code=code)), NOW, HOST)
    assert status["phase"] == phase
    assert container(status)["state"]["terminated"]["exitCode"] == code
    assert condition(status, "Ready")["status"] == "False"
    assert condition(status, "Ready")["reason"] == ("PodCompleted" if code == 0 else "PodFailed")


def test_a_pod_past_its_deadline_fails_when_its_containers_have_ended(make_pod, make_run):
    pod = make_pod({"activeDeadlineSeconds": 50})
    running = pod_status(pod, state(make_run()), NOW, HOST)
    assert (running["phase"], running["reason"]) == ("Running", "DeadlineExceeded")
    ended = pod_status(pod, state(make_run(ended_at=NOW, exit_code=143)), NOW, HOST)
    assert (ended["phase"], ended["reason"]) == ("Failed", "DeadlineExceeded")


def test_a_rejected_pod_has_failed_with_the_nodes_reason(make_pod):
    status = pod_status(make_pod(), PodState(rejection=Trouble("OutOfcpu", "no room")), NOW, HOST)
    assert (status["phase"], status["reason"], status["message"]) == (
        "Failed",
        "OutOfcpu",
        "no room",
    )


def test_a_deleted_pod_shows_how_its_containers_ended(make_pod, make_run):
    ended = state(make_run(ended_at=NOW, exit_code=0), ending=Ending(since=NOW, grace=30))
    status = pod_status(make_pod(), ended, NOW, HOST)
    assert status["phase"] == "Succeeded"
    assert container(status)["state"]["terminated"]["exitCode"] == 0


def test_an_ended_phase_is_never_left(make_pod, make_run):
    pod = make_pod(status={"phase": "Failed"})
    assert pod_phase(pod, state(make_run()), NOW) == "Failed"


def test_conditions_keep_their_time_and_those_of_others_stay(make_pod, make_run):
    held = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:01Z"},
        {"type": "example.com/gate", "status": "True", "reason": "Yes"},
    ]
    pod = make_pod(status={"phase": "Running", "conditions": held})
    ready = state(make_run(), health={"main-0": Health(True, True)})
    status = pod_status(pod, ready, NOW, HOST)
    assert condition(status, "PodScheduled")["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert condition(status, "Ready")["lastTransitionTime"] == "2026-01-01T00:00:01Z"
    assert condition(status, "example.com/gate")["reason"] == "Yes"
    unready = pod_status(pod, state(make_run()), NOW, HOST)
    assert condition(unready, "Ready")["lastTransitionTime"] == timestamp(NOW)


def test_a_readiness_gate_holds_the_pod_back(make_pod, make_run):
    pod = make_pod({"readinessGates": [{"conditionType": "example.com/gate"}]})
    status = pod_status(pod, state(make_run(), health={"main-0": Health(True, True)}), NOW, HOST)
    assert condition(status, "ContainersReady")["status"] == "True"
    assert condition(status, "Ready")["reason"] == "ReadinessGatesNotReady"


def test_what_the_status_calls_a_back_off_the_plan_waits_for(make_pod, make_run):
    ended = state(make_run(ended_at=NOW, exit_code=1, delay=10.0))
    for moment, waits in ((NOW, True), (NOW + 9.9, True), (NOW + 10, False)):
        shown = container(pod_status(make_pod(), ended, moment, HOST))
        assert ("waiting" in shown["state"]) == waits
        assert (plan(make_pod(), ended, moment, 2.0).wake_at is not None) == waits
