"""The runs of one pod's containers with what goes on beside them: probes, hooks, stops.

The worker decides; this keeps the tasks of each run and tells the worker by `wake` when
something has changed.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from sampan.engine.contract import ContainerNotFound, ContainerStatus, EngineError
from sampan.node import container_stop, run_records
from sampan.node.container_start import START_ERROR_CODE
from sampan.node.handlers import HandlerFailed, Target, run_handler
from sampan.node.node_services import NodeServices
from sampan.node.pod_plan import Start, Stop
from sampan.node.pod_sandbox import PodSandbox
from sampan.node.pod_state import Health, Run
from sampan.node.pod_view import Container, Handler, Pod
from sampan.node.probes import ProbeKind, RunProbes

STOP_RETRY_SECONDS = 1.0

_log = logging.getLogger("sampan.node.container")


class ContainerRuns:
    def __init__(
        self, pod: Pod, services: NodeServices, sandbox: PodSandbox, wake: Callable[[], None]
    ) -> None:
        self.pod = pod
        self._services = services
        self._sandbox = sandbox
        self._wake = wake
        self._statuses: dict[str, ContainerStatus] = {}
        self._refused: dict[str, Run] = {}
        self._probes: dict[str, RunProbes] = {}
        self._deadlines: dict[str, float] = {}
        self._stops: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def by_container(self) -> dict[str, tuple[Run, ...]]:
        known = [run_records.run_of(status) for status in self._statuses.values()]
        return run_records.by_container([*known, *self._refused.values()])

    def running(self, container: str) -> str:
        """The identifier of a container's run that lives; empty when there is none."""
        runs = self.by_container().get(container, ())
        return runs[-1].identifier if runs and runs[-1].is_running else ""

    def statuses(self) -> tuple[ContainerStatus, ...]:
        """For another worker to adopt."""
        return tuple(self._statuses.values())

    @property
    def health(self) -> Mapping[str, Health]:
        return {identifier: probes.health for identifier, probes in self._probes.items()}

    @property
    def stopping(self) -> Mapping[str, float]:
        return self._deadlines

    def adopt(self, statuses: tuple[ContainerStatus, ...]) -> None:
        """What a former agent left: living runs are probed on from the health it had found."""
        held = {
            item.container_id: Health(started=bool(item.started), ready=item.ready)
            for item in (
                *self.pod.status.container_statuses,
                *self.pod.status.init_container_statuses,
                *self.pod.status.ephemeral_container_statuses,
            )
        }
        containers = {item.name: item for item in self.pod.all_containers}
        for status in statuses:
            self._statuses[status.identifier] = status
            container = containers.get(run_records.run_of(status).container)
            if container and status.phase == "running":
                self._probe(container, status.identifier, held.get(f"sampan://{status.identifier}"))

    def changed(self, status: ContainerStatus) -> None:
        """The engine tells of a phase; a run that isn't known (any more) is not taken in."""
        before = self._statuses.get(status.identifier)
        if before is None or before.phase == "exited":
            return
        self._statuses[status.identifier] = status
        if status.phase == "exited":
            self._deadlines.pop(status.identifier, None)
            self._end_probes(status.identifier)
        self._wake()

    async def begin(self, container: Container, identifier: str) -> None:
        """A run was started: take it in, then its postStart hook and its probes."""
        self._statuses[identifier] = await self._services.engine.status(identifier)
        if self._statuses[identifier].phase == "exited":
            return
        if container.lifecycle.post_start:
            self._spawn(self._after_hook(container, identifier))
        else:
            self._probe(container, identifier, None)

    def _target(self, container: Container, identifier: str) -> Target:
        address = self._sandbox.address(self.pod)
        return Target(self._services.engine, identifier, address, container)

    async def _after_hook(self, container: Container, identifier: str) -> None:
        hook = container.lifecycle.post_start
        assert hook is not None
        try:
            await run_handler(hook, self._target(container, identifier), None)
        except HandlerFailed as error:
            self._warn("FailedPostStartHook", f"PostStartHook failed: {error}")
            deadline = self._services.clock() + self.pod.spec.termination_grace_period_seconds
            self.stop(Stop(identifier, container.name, deadline, "its postStart hook failed"))
        else:
            self._probe(container, identifier, None)
            self._wake()

    def _probe(self, container: Container, identifier: str, held: Health | None) -> None:
        if identifier in self._deadlines or self._statuses[identifier].phase != "running":
            return

        def failed(kind: ProbeKind, message: str) -> None:
            self._warn("Unhealthy", f"{kind.capitalize()} probe failed: {message}")

        probes = RunProbes(
            container,
            self._target(container, identifier),
            changed=lambda _health: self._wake(),
            failed=failed,
            adopted=held,
        )
        self._probes[identifier] = probes
        probes.start()

    def _end_probes(self, identifier: str) -> None:
        probes = self._probes.get(identifier)
        if probes:
            probes.cancel()

    def refuse(self, action: Start, sandbox: int, message: str) -> None:
        """A command that can't be executed counts as a run that ended at once (StartError)."""
        now = self._services.clock()
        identifier = f"{action.container}-{action.attempt}-refused"
        self._refused[identifier] = Run(
            container=action.container,
            identifier=identifier,
            attempt=action.attempt,
            sandbox=sandbox,
            delay=action.delay,
            phase="exited",
            finished=now,
            exit_code=START_ERROR_CODE,
            reason="StartError",
            message=message,
        )

    def stop(self, action: Stop) -> None:
        """Begin to end a run; a sooner deadline than before replaces the stop under way."""
        running = self._stops.get(action.identifier)
        hook = None
        container = next(item for item in self.pod.all_containers if item.name == action.container)
        if running is None:
            hook = container.lifecycle.pre_stop
            self._services.record(self.pod, "Normal", "Killing", action.reason)
        else:
            running.cancel()
        self._deadlines[action.identifier] = action.deadline
        self._end_probes(action.identifier)
        target = self._target(container, action.identifier)
        self._stops[action.identifier] = self._spawn(self._end(target, hook, action.deadline))

    async def _end(self, target: Target, hook: Handler | None, deadline: float) -> None:
        identifier = target.identifier
        try:
            await container_stop.stop(
                target,
                hook=hook,
                deadline=deadline,
                clock=self._services.clock,
                hook_failed=self._pre_stop_failed,
            )
            status = await self._services.engine.status(identifier)
        except ContainerNotFound:
            self._statuses.pop(identifier, None)
        except (EngineError, OSError) as error:
            self._warn("FailedKillContainer", str(error))
            await asyncio.sleep(STOP_RETRY_SECONDS)
        else:
            self.changed(status)
        self._deadlines.pop(identifier, None)
        self._stops.pop(identifier, None)
        self._wake()

    def _pre_stop_failed(self, message: str) -> None:
        self._warn("FailedPreStopHook", f"PreStopHook failed: {message}")

    async def discard(self, identifier: str) -> ContainerStatus | None:
        """Remove an ended run; what it was. Raises EngineError."""
        if self._refused.pop(identifier, None):
            return None
        await self._services.engine.remove(identifier)
        self._probes.pop(identifier, None)
        return self._statuses.pop(identifier, None)

    async def remove_all(self) -> None:
        """Raises EngineError."""
        await asyncio.gather(*(self.discard(identifier) for identifier in tuple(self._statuses)))

    async def close(self) -> None:
        """Let go; the containers run on."""
        for probes in self._probes.values():
            probes.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _warn(self, reason: str, message: str) -> None:
        _log.warning("pod %s: %s: %s", self.pod.key, reason, message)
        self._services.record(self.pod, "Warning", reason, message)
