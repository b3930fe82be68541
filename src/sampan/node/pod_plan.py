"""What to do next for one pod: a pure function of its spec, its state and the time.

The worker carries out the actions of one plan in order and plans again on the next event; a
plan that has nothing to do now says when time alone would change that. Rules: the pod
lifecycle of Kubernetes (restart policies, init containers in order, KEP-753 sidecars, KEP-277
ephemeral containers, which run once and wait for nobody).
"""

import msgspec

from sampan.node.pod_state import PodState, Run, Trouble
from sampan.node.pod_view import Container, Pod

FIRST_RESTART_DELAY = 10.0
LONGEST_RESTART_DELAY = 300.0
CALM_RUN = 600.0
SHORTEST_GRACE = 1.0


class Prepare(msgspec.Struct, frozen=True):
    """Make the pod's network, group and volumes."""

    sandbox: int


class Start(msgspec.Struct, frozen=True):
    """Create and start a run of a container; `delay` is what its successor will wait."""

    container: str
    attempt: int
    delay: float


class Stop(msgspec.Struct, frozen=True):
    """Run the preStop hook, send the stop signal, and kill at `deadline`."""

    identifier: str
    container: str
    deadline: float
    reason: str


class Discard(msgspec.Struct, frozen=True):
    """Remove a run that is no longer needed, not even for its log."""

    identifier: str


class Release(msgspec.Struct, frozen=True):
    """The pod has ended: take away its network and volumes, keep its last runs' logs."""


class Finish(msgspec.Struct, frozen=True):
    """Remove everything of a deleted pod and tell the API that it is gone."""


Action = Prepare | Start | Stop | Discard | Release | Finish


class Plan(msgspec.Struct, frozen=True):
    actions: tuple[Action, ...] = ()
    wake_at: float | None = None


def plan(pod: Pod, state: PodState, now: float, withdrawal_limit: float) -> Plan:
    """The next actions for a pod, or the time at which to ask again."""
    if state.ending:
        return _end(pod, state, now, withdrawal_limit)
    if state.rejection or pod.is_finished or has_ended(pod, state, now):
        return _wind_down(pod, state, now)
    if not state.sandbox:
        trouble = state.troubles.get("")
        if trouble and not _is_over(trouble, now):
            return Plan(wake_at=trouble.until)
        return Plan((Prepare(next_sandbox(state)),))
    return _run(pod, state, now)


def next_sandbox(state: PodState) -> int:
    """The number of the pod's next network: one more than any run has seen."""
    return 1 + max((run.sandbox for runs in state.runs.values() for run in runs), default=0)


def next_delay(previous: Run | None) -> float:
    """What a container's next run makes its successor wait: 10 s, doubling to 5 min.

    A first run leaves 0 (its successor starts at once); a run of ten calm minutes starts over.
    A run that died with its node is not asked: that was not the container's fault.
    """
    if previous is None:
        return 0.0
    calm = previous.started and previous.finished - previous.started >= CALM_RUN
    if calm or previous.delay == 0:
        return FIRST_RESTART_DELAY
    return min(previous.delay * 2, LONGEST_RESTART_DELAY)


def wait_until(run: Run, state: PodState) -> float:
    """When the successor of an ended run may start; one that died with its node: at once."""
    calm = run.started and run.finished - run.started >= CALM_RUN
    if run.sandbox < state.sandbox or calm:
        return 0.0
    return run.finished + run.delay


def restarts(pod: Pod, container: Container, run: Run) -> bool:
    """Whether a container of this pod is started again after this run ended."""
    if container.is_sidecar:
        return True
    if container in pod.spec.ephemeral_containers:
        return False
    policy = pod.spec.restart_policy
    if container in pod.spec.init_containers:
        return run.exit_code != 0 and policy != "Never"
    return policy == "Always" or (policy == "OnFailure" and run.exit_code != 0)


def has_ended(pod: Pod, state: PodState, now: float) -> bool:
    """Whether the pod will never run a container again: all done, failed for good, too old."""
    if is_overdue(pod, state, now) or init_failed(pod, state):
        return True
    latest = [(item, state.latest(item.name)) for item in pod.spec.containers]
    return all(run and run.has_ended and not restarts(pod, item, run) for item, run in latest)


def is_overdue(pod: Pod, state: PodState, now: float) -> bool:
    limit = pod.spec.active_deadline_seconds
    return limit is not None and state.started > 0 and now >= state.started + limit


def init_failed(pod: Pod, state: PodState) -> bool:
    """An init container ended badly and is not to be tried again."""
    return any(
        run is not None and run.has_ended and run.exit_code != 0 and not restarts(pod, item, run)
        for item in pod.spec.init_containers
        for run in (state.latest(item.name),)
    )


def init_is_done(container: Container, state: PodState) -> bool:
    """An init container has succeeded in this sandbox, or, as a sidecar, has started."""
    run = state.latest(container.name)
    if run is None or run.sandbox != state.sandbox:
        return False
    if container.is_sidecar:
        return run.is_running and state.healthy(run).started
    return run.has_ended and run.exit_code == 0


def main_has_begun(pod: Pod, state: PodState) -> bool:
    runs = (state.latest(item.name) for item in pod.spec.containers)
    return any(run is not None and run.sandbox == state.sandbox for run in runs)


def _run(pod: Pod, state: PodState, now: float) -> Plan:
    """A pod with a network, to be kept running."""
    actions: list[Action] = [*_stale_stops(state, now), *_unhealthy_stops(pod, state, now)]
    times: list[float] = []
    for container in (*_startable(pod, state), *pod.spec.ephemeral_containers):
        decision = _start(pod, container, state, now)
        if isinstance(decision, Start):
            actions.append(decision)
        elif decision is not None:
            times.append(decision)
    actions += _discards(state)
    if pod.spec.active_deadline_seconds is not None and state.started:
        times.append(state.started + pod.spec.active_deadline_seconds)
    return Plan(tuple(actions), min(times, default=None))


def _startable(pod: Pod, state: PodState) -> tuple[Container, ...]:
    """The containers whose turn has come: the first init not done, or sidecars and main ones."""
    sidecars = tuple(item for item in pod.spec.init_containers if item.is_sidecar)
    if main_has_begun(pod, state):
        return sidecars + pod.spec.containers
    begun: list[Container] = []
    for container in pod.spec.init_containers:
        if not init_is_done(container, state):
            return (*begun, container)
        if container.is_sidecar:
            begun.append(container)
    return sidecars + pod.spec.containers


def _start(pod: Pod, container: Container, state: PodState, now: float) -> Start | float | None:
    """Start it now, or the time to ask again, or None when nothing is to be done."""
    run = state.latest(container.name)
    if run and (not run.has_ended or container in pod.spec.ephemeral_containers):
        return None
    survivor = run if run and run.sandbox == state.sandbox else None
    if survivor and not restarts(pod, container, survivor):
        return None
    trouble = state.troubles.get(container.name)
    if trouble and not _is_over(trouble, now):
        return trouble.until
    if run and (ready_at := wait_until(run, state)) > now:
        return ready_at
    lost = run is not None and run.sandbox != state.sandbox
    delay = run.delay if run and lost else next_delay(run)
    return Start(container.name, run.attempt + 1 if run else 0, delay)


def _is_over(trouble: Trouble, now: float) -> bool:
    return trouble.until is not None and trouble.until <= now


def _stale_stops(state: PodState, now: float) -> list[Action]:
    """Runs that live without the pod's present network have nothing to live in."""
    return [
        Stop(
            run.identifier,
            run.container,
            now,
            f"Stopping container {run.container}: its network is gone",
        )
        for run in state.living
        if run.sandbox != state.sandbox and run.identifier not in state.stopping
    ]


def _unhealthy_stops(pod: Pod, state: PodState, now: float) -> list[Action]:
    found: list[Action] = []
    for container in pod.all_containers:
        run = state.latest(container.name)
        failure = state.healthy(run).failure
        if run and run.is_running and failure and run.identifier not in state.stopping:
            grace = probe_grace(pod, container, failure)
            reason = f"Container {container.name} failed {failure} probe, will be restarted"
            found.append(Stop(run.identifier, container.name, now + grace, reason))
    return found


def probe_grace(pod: Pod, container: Container, failure: str) -> float:
    """A probe's own grace goes before the pod's (KEP-2238)."""
    probe = container.startup_probe if failure == "startup" else container.liveness_probe
    own = probe.termination_grace_period_seconds if probe else None
    return float(pod.spec.termination_grace_period_seconds if own is None else own)


def _discards(state: PodState) -> list[Action]:
    """All but the last two runs of each container (the last log, and the one before)."""
    return [Discard(run.identifier) for runs in state.runs.values() for run in runs[:-2]]


def _wind_down(pod: Pod, state: PodState, now: float) -> Plan:
    """A pod that has ended of itself: stop what still lives, then release what it holds."""
    grace = float(pod.spec.termination_grace_period_seconds)
    stops = tuple(
        Stop(run.identifier, run.container, now + grace, f"Stopping container {run.container}")
        for run in state.living
        if run.identifier not in state.stopping
    )
    if state.living:
        return Plan(stops)
    return Plan() if state.released else Plan((Release(),))


def _end(pod: Pod, state: PodState, now: float, withdrawal_limit: float) -> Plan:
    """A deleted pod: traffic away first, then hooks and signals, then nothing is left."""
    ending = state.ending
    assert ending is not None
    if not state.living:
        return Plan((Finish(),))
    patience = ending.since + min(withdrawal_limit, ending.grace)
    quiet = patience if ending.traffic_ends is None else min(ending.traffic_ends, patience)
    if now < quiet and not state.stopping:
        return Plan(wake_at=quiet)
    main = {item.name for item in pod.spec.containers + pod.spec.ephemeral_containers}
    running_main = [run for run in state.living if run.container in main]
    # Sidecars outlive the main containers, so that these can use them to the end (KEP-753).
    turn = running_main or list(state.living)
    deadline = ending.deadline
    return Plan(
        tuple(
            Stop(run.identifier, run.container, deadline, f"Stopping container {run.container}")
            for run in turn
            if state.stopping.get(run.identifier, float("inf")) > deadline
        )
    )
