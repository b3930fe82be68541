"""Probes of one run of a container: startup first, then liveness and readiness.

Theory: a verdict (pure) counts results against thresholds; a loop asks at the verdict's own
pace. As long as a probe has never succeeded, readiness and startup are asked again quickly
(50 ms, doubling up to the period), so that a pod is ready as soon as it can be; such quick
failures count at most once a period, so that thresholds mean what they say.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

import msgspec

from sampan.node.handlers import HandlerFailed, Target, run_handler
from sampan.node.pod_state import Health
from sampan.node.pod_view import Container, Probe

ProbeKind = Literal["startup", "readiness", "liveness"]
FIRST_PAUSE = 0.05


class Verdict(msgspec.Struct, frozen=True):
    """What the results so far mean. `passing` None means that none has been reached yet."""

    passing: bool | None = None
    successes: int = 0
    failures: int = 0
    counted_at: float = float("-inf")
    pause: float = FIRST_PAUSE
    ever_passed: bool = False


def judge(verdict: Verdict, probe: Probe, succeeded: bool, now: float) -> Verdict:
    """The verdict after one more result."""
    if succeeded:
        successes = verdict.successes + 1
        passing = True if successes >= probe.success_threshold else verdict.passing
        return Verdict(
            passing=passing,
            successes=successes,
            pause=verdict.pause,
            ever_passed=verdict.ever_passed or bool(passing),
        )
    counts = now - verdict.counted_at >= probe.period_seconds * 0.9
    failures = verdict.failures + counts
    return Verdict(
        passing=False if failures >= probe.failure_threshold else verdict.passing,
        failures=failures,
        counted_at=now if counts else verdict.counted_at,
        pause=min(verdict.pause * 2, float(probe.period_seconds)),
        ever_passed=verdict.ever_passed,
    )


def pause_before_next(kind: ProbeKind, verdict: Verdict, probe: Probe) -> float:
    quick = kind != "liveness" and not verdict.ever_passed and probe.success_threshold == 1
    return min(verdict.pause, probe.period_seconds) if quick else float(probe.period_seconds)


class RunProbes:
    """The probing of one run, from its start until `cancel`.

    `changed` is called with the new health; `failed` with a probe's kind and message, for
    events. `adopted` is the health that a former agent had found.
    """

    def __init__(
        self,
        container: Container,
        target: Target,
        *,
        changed: Callable[[Health], None],
        failed: Callable[[ProbeKind, str], None],
        adopted: Health | None = None,
    ) -> None:
        self._container = container
        self._target = target
        self._changed = changed
        self._failed = failed
        started = container.startup_probe is None
        ready = started and container.readiness_probe is None
        self.health = adopted or Health(started=started, ready=ready)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        container = self._container
        if container.startup_probe or container.readiness_probe or container.liveness_probe:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        """Ask no more; the last health stays."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        if self._container.startup_probe and not self.health.started:
            await self._follow("startup", self._container.startup_probe)
            if self.health.failure:
                return
        async with asyncio.TaskGroup() as group:
            if self._container.readiness_probe:
                group.create_task(self._follow("readiness", self._container.readiness_probe))
            if self._container.liveness_probe:
                group.create_task(self._follow("liveness", self._container.liveness_probe))

    async def _follow(self, kind: ProbeKind, probe: Probe) -> None:
        """Ask again and again; startup ends with its first verdict, liveness with failure."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(probe.initial_delay_seconds)
        # What can't answer yet has a period's time before a failure counts.
        verdict = Verdict() if kind == "liveness" else Verdict(counted_at=loop.time())
        while True:
            failure = await self._ask(probe)
            before, verdict = verdict, judge(verdict, probe, failure is None, loop.time())
            if failure is not None and verdict.failures > before.failures:
                self._failed(kind, failure)
            if verdict.passing is not None and verdict.passing != before.passing:
                self._conclude(kind, verdict.passing)
                if kind == "startup" or (kind == "liveness" and not verdict.passing):
                    return
            await asyncio.sleep(pause_before_next(kind, verdict, probe))

    async def _ask(self, probe: Probe) -> str | None:
        """None for success, else how it failed."""
        try:
            await run_handler(probe, self._target, float(probe.timeout_seconds))
        except HandlerFailed as error:
            return str(error)
        return None

    def _conclude(self, kind: ProbeKind, passing: bool) -> None:
        health = self.health
        if kind == "readiness":
            health = msgspec.structs.replace(health, ready=passing)
        elif not passing:
            health = msgspec.structs.replace(health, ready=False, failure=kind)
        elif kind == "startup":
            ready = self._container.readiness_probe is None
            health = msgspec.structs.replace(health, started=True, ready=ready)
        if health != self.health:
            self.health = health
            self._changed(health)
