"""The plan of a pod, told by pairs of a state and the actions that follow from it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.node import pod_plan
from sampan.node.pod_plan import (
    FIRST_RESTART_DELAY,
    LONGEST_RESTART_DELAY,
    Discard,
    Finish,
    Plan,
    Prepare,
    Release,
    Start,
    Stop,
    next_delay,
)
from sampan.node.pod_state import Ending, Health, PodState, Run, Trouble

NOW = 1000.0
INIT = {"name": "first", "image": "hello"}
SECOND = {"name": "second", "image": "hello"}
SIDECAR = {"name": "proxy", "image": "hello", "restartPolicy": "Always"}


def plan(pod: Any, state: PodState, now: float, withdrawal_limit: float = 2.0) -> Plan:
    return pod_plan.plan(pod, state, now, withdrawal_limit)


def state(*runs: Run, **values: Any) -> PodState:
    found: dict[str, tuple[Run, ...]] = {}
    for run in runs:
        found[run.container] = (*found.get(run.container, ()), run)
    return PodState(**{"sandbox": 1, "runs": found, "started": 90.0, **values})


def test_a_new_pod_gets_its_network_before_anything_else(make_pod):
    assert plan(make_pod(), PodState(), NOW) == Plan((Prepare(1),))


def test_a_pod_with_a_network_starts_all_main_containers(make_pod):
    containers = [{"name": "main"}, {"name": "other"}]
    assert plan(make_pod({"containers": containers}), state(), NOW).actions == (
        Start("main", 0, 0.0),
        Start("other", 0, 0.0),
    )


def test_a_network_that_could_not_be_made_is_tried_again_when_its_time_has_come(make_pod):
    waiting = {"": Trouble("ContainerCreating", "", until=NOW + 1)}
    assert plan(make_pod(), PodState(troubles=waiting), NOW) == Plan(wake_at=NOW + 1)
    assert plan(make_pod(), PodState(troubles=waiting), NOW + 1).actions == (Prepare(1),)


def test_a_running_pod_needs_nothing(make_pod, make_run):
    assert plan(make_pod(), state(make_run()), NOW) == Plan()


def test_the_first_restart_comes_at_once(make_pod, make_run):
    ended = make_run(ended_at=NOW, exit_code=1)
    assert plan(make_pod(), state(ended), NOW).actions == (Start("main", 1, FIRST_RESTART_DELAY),)


def test_later_restarts_wait_longer_and_longer(make_pod, make_run):
    ended = make_run(ended_at=NOW, exit_code=1, attempt=3, delay=20.0)
    assert plan(make_pod(), state(ended), NOW) == Plan(wake_at=NOW + 20)
    assert plan(make_pod(), state(ended), NOW + 20).actions == (Start("main", 4, 40.0),)


@given(st.integers(min_value=1, max_value=30))
def test_the_delay_never_passes_its_limit(restarts):
    run = None
    for attempt in range(restarts):
        run = Run(
            container="main",
            identifier="x",
            attempt=attempt,
            delay=next_delay(run),
            phase="exited",
            started=1.0,
            finished=2.0,
        )
    assert run is not None
    assert run.delay <= LONGEST_RESTART_DELAY


def test_ten_calm_minutes_make_the_next_restart_immediate(make_pod, make_run):
    ended = make_run(started=100.0, ended_at=800.0, exit_code=1, delay=300.0)
    assert plan(make_pod(), state(ended), NOW).actions == (Start("main", 1, FIRST_RESTART_DELAY),)


@pytest.mark.parametrize(
    ("policy", "code", "restarts"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_restart_policies(make_pod, make_run, policy, code, restarts):
    pod = make_pod({"restartPolicy": policy})
    actions = plan(pod, state(make_run(ended_at=NOW, exit_code=code)), NOW).actions
    assert actions == ((Start("main", 1, FIRST_RESTART_DELAY),) if restarts else (Release(),))


def test_init_containers_run_one_after_another(make_pod, make_run):
    pod = make_pod({"initContainers": [INIT, SECOND]})
    assert plan(pod, state(), NOW).actions == (Start("first", 0, 0.0),)
    assert plan(pod, state(make_run("first")), NOW).actions == ()
    done = make_run("first", ended_at=NOW)
    assert plan(pod, state(done), NOW).actions == (Start("second", 0, 0.0),)
    both = state(done, make_run("second", ended_at=NOW))
    assert plan(pod, both, NOW).actions == (Start("main", 0, 0.0),)


def test_a_failed_init_container_is_tried_again_unless_the_policy_is_never(make_pod, make_run):
    failed = state(make_run("first", ended_at=NOW, exit_code=1))
    retried = make_pod({"initContainers": [INIT], "restartPolicy": "OnFailure"})
    assert plan(retried, failed, NOW).actions == (Start("first", 1, FIRST_RESTART_DELAY),)
    final = make_pod({"initContainers": [INIT], "restartPolicy": "Never"})
    assert plan(final, failed, NOW).actions == (Release(),)


def test_init_containers_do_not_run_again_beside_main_ones(make_pod, make_run):
    pod = make_pod({"initContainers": [INIT]})
    assert plan(pod, state(make_run()), NOW) == Plan()


def test_a_sidecar_lets_the_next_begin_when_it_has_started(make_pod, make_run):
    pod = make_pod({"initContainers": [SIDECAR, INIT]})
    starting = state(make_run("proxy"))
    assert plan(pod, starting, NOW).actions == ()
    started = state(make_run("proxy"), health={"proxy-0": Health(started=True)})
    assert plan(pod, started, NOW).actions == (Start("first", 0, 0.0),)


def test_a_sidecar_that_ends_is_started_again(make_pod, make_run):
    pod = make_pod({"initContainers": [SIDECAR], "restartPolicy": "Never"})
    ended = state(make_run(), make_run("proxy", ended_at=NOW))
    assert plan(pod, ended, NOW).actions == (Start("proxy", 1, FIRST_RESTART_DELAY),)


def test_a_sidecar_is_stopped_when_the_main_containers_have_ended(make_pod, make_run):
    pod = make_pod({"initContainers": [SIDECAR], "restartPolicy": "Never"})
    ended = state(make_run(ended_at=NOW), make_run("proxy"))
    assert plan(pod, ended, NOW).actions == (
        Stop("proxy-0", "proxy", NOW + 30, "Stopping container proxy"),
    )


def test_after_the_death_of_its_node_everything_starts_again_at_once(make_pod, make_run):
    pod = make_pod({"initContainers": [INIT], "restartPolicy": "Always"})
    runs = (make_run("first", ended_at=950.0), make_run(ended_at=NOW, exit_code=137, delay=80.0))
    lost = state(*runs, sandbox=0)
    assert plan(pod, lost, NOW).actions == (Prepare(2),)
    again = state(*runs, sandbox=2)
    assert plan(pod, again, NOW).actions == (Start("first", 1, 0.0),)
    done = state(*runs, make_run("first", ended_at=NOW, sandbox=2, attempt=1), sandbox=2)
    assert plan(pod, done, NOW).actions == (Start("main", 1, 80.0),)


def test_a_container_without_the_pods_network_is_ended(make_pod, make_run):
    assert plan(make_pod(), state(make_run(), sandbox=2), NOW).actions == (
        Stop("main-0", "main", NOW, "Stopping container main: its network is gone"),
    )


def test_a_failed_probe_ends_the_container_with_the_pods_grace(make_pod, make_run):
    pod = make_pod({"terminationGracePeriodSeconds": 7})
    sick = state(make_run(), health={"main-0": Health(started=True, failure="liveness")})
    (action,) = plan(pod, sick, NOW).actions
    assert isinstance(action, Stop)
    assert action.deadline == NOW + 7
    stopping = state(make_run(), health=sick.health, stopping={"main-0": NOW + 7})
    assert plan(pod, stopping, NOW).actions == ()


def test_a_container_in_trouble_waits_for_its_time_or_an_event(make_pod):
    timed = state(troubles={"main": Trouble("ErrImagePull", "", until=NOW + 10)})
    assert plan(make_pod(), timed, NOW) == Plan(wake_at=NOW + 10)
    assert plan(make_pod(), timed, NOW + 10).actions == (Start("main", 0, 0.0),)
    waiting = state(troubles={"main": Trouble("CreateContainerConfigError", "")})
    assert plan(make_pod(), waiting, NOW) == Plan()


def test_only_the_last_two_runs_are_kept(make_pod, make_run):
    runs = [
        make_run(identifier=f"main-{number}", attempt=number, ended_at=NOW - 10 + number)
        for number in range(3)
    ]
    living = make_run(identifier="main-3", attempt=3)
    assert plan(make_pod(), state(*runs, living), NOW).actions == (
        Discard("main-0"),
        Discard("main-1"),
    )


def test_a_pod_past_its_deadline_is_stopped(make_pod, make_run):
    pod = make_pod({"activeDeadlineSeconds": 100, "terminationGracePeriodSeconds": 5})
    young = state(make_run(), started=NOW - 99)
    assert plan(pod, young, NOW) == Plan(wake_at=NOW + 1)
    old = state(make_run(), started=NOW - 100)
    assert plan(pod, old, NOW).actions == (
        Stop("main-0", "main", NOW + 5, "Stopping container main"),
    )


def test_a_finished_pod_is_never_started_again(make_pod):
    pod = make_pod(status={"phase": "Succeeded"})
    assert plan(pod, PodState(), NOW).actions == (Release(),)
    assert plan(pod, PodState(released=True), NOW) == Plan()


def test_a_rejected_pod_is_not_started(make_pod):
    rejected = PodState(rejection=Trouble("OutOfcpu", ""), released=True)
    assert plan(make_pod(), rejected, NOW) == Plan()


def test_a_deleted_pod_is_not_signalled_while_traffic_is_routed_to_it(make_pod, make_run):
    routed = state(make_run(), ending=Ending(since=NOW, grace=30))
    assert plan(make_pod(), routed, NOW, 2.0) == Plan(wake_at=NOW + 2)
    left = state(make_run(), ending=Ending(since=NOW, grace=30, traffic_ends=NOW + 0.4))
    assert plan(make_pod(), left, NOW + 0.1, 2.0) == Plan(wake_at=NOW + 0.4)
    assert plan(make_pod(), left, NOW + 0.4, 2.0).actions == (
        Stop("main-0", "main", NOW + 30, "Stopping container main"),
    )


def test_waiting_for_traffic_is_bounded_by_the_limit_and_the_grace(make_pod, make_run):
    routed = state(make_run(), ending=Ending(since=NOW, grace=30))
    assert plan(make_pod(), routed, NOW + 2, 2.0).actions
    hurried = state(make_run(), ending=Ending(since=NOW, grace=0))
    assert plan(make_pod(), hurried, NOW, 2.0).actions


def test_a_pod_in_no_service_is_signalled_at_once(make_pod, make_run):
    ending = Ending(since=NOW, grace=30, traffic_ends=NOW)
    assert plan(make_pod(), state(make_run(), ending=ending), NOW).actions


def test_a_shorter_grace_brings_the_deadline_forward(make_pod, make_run):
    ending = Ending(since=NOW, grace=1, traffic_ends=NOW)
    slow = state(make_run(), ending=ending, stopping={"main-0": NOW + 30})
    assert plan(make_pod(), slow, NOW).actions == (
        Stop("main-0", "main", NOW + 1, "Stopping container main"),
    )
    quick = state(make_run(), ending=ending, stopping={"main-0": NOW + 1})
    assert plan(make_pod(), quick, NOW) == Plan()


def test_sidecars_of_a_deleted_pod_end_after_the_main_containers(make_pod, make_run):
    pod = make_pod({"initContainers": [SIDECAR]})
    ending = Ending(since=NOW, grace=30, traffic_ends=NOW)
    both = state(make_run("proxy"), make_run(), ending=ending)
    assert [action.container for action in plan(pod, both, NOW).actions] == ["main"]
    alone = state(make_run("proxy"), make_run(ended_at=NOW), ending=ending)
    assert [action.container for action in plan(pod, alone, NOW).actions] == ["proxy"]


def test_a_deleted_pod_without_living_containers_is_finished(make_pod, make_run):
    ending = Ending(since=NOW, grace=30)
    assert plan(make_pod(), state(make_run(ended_at=NOW), ending=ending), NOW).actions == (
        Finish(),
    )


@given(
    ended=st.booleans(),
    code=st.integers(0, 255),
    sandbox=st.integers(0, 2),
    deleted=st.booleans(),
    now=st.floats(0, 1e6),
)
def test_a_living_container_is_never_started_twice(ended, code, sandbox, deleted, now):
    from sampan.kubernetes.machinery.metadata import Metadata
    from sampan.node.pod_view import Container, Pod, PodSpec

    pod = Pod(Metadata("web"), PodSpec((Container("main"),)))
    run = Run(
        container="main",
        identifier="main-0",
        phase="exited" if ended else "running",
        exit_code=code,
    )
    ending = Ending(since=now, grace=1.0) if deleted else None
    actions = plan(
        pod, PodState(sandbox=sandbox, runs={"main": (run,)}, ending=ending), now
    ).actions
    starts = [action for action in actions if isinstance(action, Start)]
    assert not (starts and (not ended or deleted))
