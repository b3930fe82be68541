"""Probes: how results become verdicts, and how fast a container becomes ready."""

import asyncio

import pytest

from sampan.node import probes
from sampan.node.handlers import HandlerFailed, Target
from sampan.node.pod_state import Health
from sampan.node.pod_view import Container, Probe, TcpAction
from sampan.node.probes import RunProbes, Verdict, judge, pause_before_next
from sampan.testing import virtual_clock

PROBE = Probe(tcp_socket=TcpAction(80), period_seconds=10, failure_threshold=3)


def results(probe, *given):
    verdict = Verdict()
    for succeeded, now in given:
        verdict = judge(verdict, probe, succeeded, now)
    return verdict


def test_one_success_passes():
    assert results(PROBE, (True, 0)).passing


def test_failures_must_reach_the_threshold():
    assert results(PROBE, (False, 0), (False, 10)).passing is None
    assert results(PROBE, (False, 0), (False, 10), (False, 20)).passing is False


def test_a_success_forgives_failures():
    verdict = results(PROBE, (False, 0), (False, 10), (True, 20), (False, 30), (False, 40))
    assert verdict.passing


def test_quick_failures_count_once_a_period():
    assert results(PROBE, *[(False, n / 10) for n in range(50)]).failures == 1


def test_successes_must_reach_their_threshold():
    probe = Probe(tcp_socket=TcpAction(80), success_threshold=2)
    assert results(probe, (True, 0)).passing is None
    assert results(probe, (True, 0), (True, 10)).passing
    assert results(probe, (True, 0), (False, 10), (True, 20)).passing is None


@pytest.mark.parametrize(
    ("kind", "verdict", "pause"),
    [
        ("readiness", Verdict(), 0.05),
        ("startup", Verdict(pause=0.4), 0.4),
        ("readiness", Verdict(pause=80), 10),
        ("readiness", Verdict(ever_passed=True), 10),
        ("liveness", Verdict(), 10),
    ],
)
def test_pauses(kind, verdict, pause):
    assert pause_before_next(kind, verdict, PROBE) == pause


class Service:
    """Something that answers from a moment on, until another."""

    def __init__(self, begins: float, ends: float = float("inf")) -> None:
        self.begins, self.ends, self.asked = begins, ends, []

    async def answer(self, *_: object) -> None:
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        if not self.begins <= now < self.ends:
            raise HandlerFailed("connection refused")


@pytest.fixture
def probed(monkeypatch):
    """Probe a container for a while; every change of its health with the time."""

    def probe(container, service, seconds, adopted=None):
        monkeypatch.setattr(probes, "run_handler", service.answer)
        changes, failures = [], []

        async def main():
            loop = asyncio.get_running_loop()
            run = RunProbes(
                container,
                Target(None, "c", "10.42.0.5", container),
                changed=lambda health: changes.append((round(loop.time(), 3), health)),
                failed=lambda kind, message: failures.append((kind, message)),
                adopted=adopted,
            )
            run.start()
            await asyncio.sleep(seconds)
            run.cancel()
            return run.health

        return virtual_clock.run(main()), changes, failures

    return probe


def test_without_probes_a_running_container_is_ready(probed):
    assert probed(Container("main"), Service(0), 1) == (Health(True, True), [], [])


def test_a_container_is_ready_soon_after_it_answers(probed):
    container = Container("main", readiness_probe=PROBE)
    health, changes, failures = probed(container, Service(begins=1.0), 5)
    assert health == Health(True, True)
    ((when, _),) = changes
    assert 1.0 <= when < 2.0
    assert failures == []


def test_a_container_that_no_longer_answers_is_not_ready(probed):
    container = Container("main", readiness_probe=PROBE)
    health, changes, _ = probed(container, Service(begins=0, ends=5), 60)
    assert health == Health(True, False)
    assert [item.ready for _, item in changes] == [True, False]


def test_liveness_fails_after_its_threshold_and_asks_no_more(probed):
    service = Service(begins=0, ends=15)
    health, changes, _ = probed(Container("main", liveness_probe=PROBE), service, 300)
    assert health.failure == "liveness"
    assert changes[0][0] == pytest.approx(40)
    assert service.asked == pytest.approx([0, 10, 20, 30, 40])


def test_other_probes_wait_for_startup(probed):
    container = Container("main", startup_probe=PROBE, liveness_probe=PROBE, readiness_probe=PROBE)
    health, changes, _ = probed(container, Service(begins=12), 30)
    assert health == Health(True, True)
    assert [item for _, item in changes] == [Health(True, False), Health(True, True)]
    assert 12 <= changes[0][0] <= 22


def test_startup_that_never_comes_is_a_failure(probed):
    container = Container("main", startup_probe=PROBE, liveness_probe=PROBE)
    health, _, _ = probed(container, Service(begins=1000), 100)
    assert health == Health(False, False, "startup")


def test_the_initial_delay_is_waited_for(probed):
    probe = Probe(tcp_socket=TcpAction(80), initial_delay_seconds=7)
    service = Service(begins=0)
    probed(Container("main", readiness_probe=probe), service, 9)
    assert service.asked == pytest.approx([7])


def test_what_a_former_agent_found_holds_until_a_probe_says_otherwise(probed):
    container = Container("main", startup_probe=PROBE, readiness_probe=PROBE)
    health, changes, _ = probed(container, Service(begins=1000), 5, Health(True, True))
    assert (health, changes) == (Health(True, True), [])
