"""The life of containers: starting, stopping, what follows an end, and taking it up again.

Theory: a run begins under the container's lock and ends when the mechanism tells so; the end is
handled under the same lock, once, and only there it is decided what comes next: a restart, the
removal, or nothing. A hand that stops a container writes that down first, so that no policy
starts it again behind its back.
"""

import asyncio
import logging
import signal as signals
from collections.abc import Coroutine

import msgspec

from sampan.engine.containers import health, restart_policy
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import Health
from sampan.engine.containers.launch import Launch
from sampan.engine.containers.log_keeping import LogKeeping
from sampan.engine.containers.parts import Parts
from sampan.engine.containers.record import RecordedEnd
from sampan.engine.containers.registry import Registry
from sampan.engine.containers.removal import Removal
from sampan.engine.contract import (
    CommandNotFound,
    Conflict,
    ContainerStatus,
    EngineError,
    NotModified,
)
from sampan.engine.runtime.oci_runtime import refusal
from sampan.engine.runtime.signals import signal_number

_log = logging.getLogger(__name__)
_GRACE_SECONDS = 10.0
_NANOSECONDS = 1_000_000_000
_NOT_STARTED = 128


class Supervision:
    """Use `keep` for work that is to go on beside all else."""

    def __init__(self, parts: Parts, registry: Registry, removal: Removal) -> None:
        self._parts = parts
        self._registry = registry
        self._removal = removal
        self._tasks: set[asyncio.Task[None]] = set()
        self.logs = LogKeeping(parts, self.keep)
        self._launch = Launch(parts, registry, self.logs)

    def watch(self) -> None:
        """Hear of the ends of containers from now on."""
        self._parts.engine.on_change(self._changed)

    def keep(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run something beside all else, until its end or that of the engine."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Let go; containers run on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(self, container: ManagedContainer) -> None:
        """Start by hand. Raises NotModified, Conflict, CommandNotFound, EngineError."""
        async with container.lock:
            if container.removing:
                raise Conflict("container is marked for removal and cannot be started")
            if container.paused:
                raise Conflict("cannot start a paused container, try unpause instead")
            if container.running:
                raise NotModified("container already started")
            self._cancel_restart(container)
            container.pause_before_restart = 0
            await self._run(container, restart_count=0)

    async def stop(self, container: ManagedContainer, grace: float | None, signal: str) -> None:
        """Stop by hand, whatever the policy says. Raises NotModified, InvalidConfiguration."""
        number = signal_number(signal or container.record.configuration.stop_signal)
        if not container.running and container.restarting is None:
            raise NotModified("container already stopped")
        await self._stopped_by_hand(container)
        if container.running:
            if grace is None:
                own = container.record.configuration.stop_timeout
                grace = _GRACE_SECONDS if own is None else own
            await self._end(container, number, grace)
        self._registry.publish(container, "stop")

    async def restart(self, container: ManagedContainer, grace: float | None, signal: str) -> None:
        """Stop it if it runs, and start it; one to be removed at its end stays."""
        container.kept_at_end = True
        try:
            try:
                await self.stop(container, grace, signal)
            except NotModified:
                _log.debug("container %s is restarted, but did not run", container.identifier)
            await self.start(container)
        finally:
            container.kept_at_end = False
        self._registry.publish(container, "restart")

    async def kill(self, container: ManagedContainer, signal: str) -> None:
        """Send a signal. Raises Conflict, InvalidConfiguration."""
        number = signal_number(signal or "SIGKILL")
        if not container.running:
            raise Conflict(
                f"cannot kill container: {container.record.name}: container "
                f"{container.identifier} is not running"
            )
        deadly = (signals.SIGKILL, signal_number(container.record.configuration.stop_signal))
        if number in deadly:
            await self._stopped_by_hand(container)
        await self._send(container, number)
        if number == signals.SIGKILL:
            await container.ended.wait()

    async def kill_for_removal(self, container: ManagedContainer) -> None:
        """End it at once; nothing starts it again. No error if it doesn't run."""
        self._cancel_restart(container)
        container.kept_at_end = True
        container.change(stopped_by_hand=True)
        await self._until_settled(container)
        if container.running:
            await self._send(container, signals.SIGKILL)
            await self._parts.engine.stop(container.identifier, 0)
            await container.ended.wait()

    async def pause(self, container: ManagedContainer) -> None:
        """Freeze its processes. Raises Conflict."""
        async with container.lock:
            if not container.running:
                raise Conflict(f"container {container.identifier} is not running")
            if container.paused:
                raise Conflict(f"container {container.identifier} is already paused")
            await self._parts.engine.pause(container.identifier)
            container.paused = True
        health.stop(container)
        self._registry.publish(container, "pause")

    async def unpause(self, container: ManagedContainer) -> None:
        """Let its processes go on. Raises Conflict."""
        async with container.lock:
            if not container.paused:
                raise Conflict(f"Container {container.identifier} is not paused")
            await self._thaw(container)
        self._watch_health(container)
        self._registry.publish(container, "unpause")

    def adopt(self, container: ManagedContainer, status: ContainerStatus) -> None:
        """Take up a container that runs, which an earlier process started."""
        self._begin(container, status)
        container.health = health.beginning(container.record.configuration.health_check)
        self._watch_health(container)

    async def recall(self, container: ManagedContainer, status: ContainerStatus) -> None:
        """Take up a container that doesn't run, and start it if its policy wants that."""
        record = container.record
        await self.logs.finish(container)
        if status.started and _nanoseconds(status.started) != record.end.started:
            await self._registry.save(container.change(end=_end_of(status)))
        end = container.record.end
        if end.started > 0 and restart_policy.restored(
            record.host.restart_policy,
            end.exit_code,
            by_hand=record.stopped_by_hand,
            count=record.restart_count,
        ):
            # The hand that stopped it is forgotten with the engine's former life.
            container.change(stopped_by_hand=False)
            container.restarting = self.keep(self.start_again(container))

    async def start_again(self, container: ManagedContainer) -> None:
        """Start one because its policy says so; what stands in the way is told in the log."""
        async with container.lock:
            try:
                if not (
                    container.running or container.removing or container.record.stopped_by_hand
                ):
                    await self._run(container, container.record.restart_count + 1)
            except (EngineError, OSError):
                _log.exception("container %s could not be restarted", container.identifier)
                container.tell_end()
            finally:
                container.restarting = None

    async def _run(self, container: ManagedContainer, restart_count: int) -> None:
        record = container.record
        if record.stopped_by_hand or record.restart_count != restart_count or record.end.error:
            cleared = msgspec.structs.replace(record.end, error="")
            changed = container.change(
                stopped_by_hand=False, restart_count=restart_count, end=cleared
            )
            await self._registry.save(changed)
        try:
            await self._launch.run(container)
        except (EngineError, OSError) as error:
            raise await self._not_started(container, error) from error
        self._begin(container, await self._parts.engine.status(container.identifier))
        container.health = health.beginning(record.configuration.health_check)
        self._watch_health(container)
        self._registry.publish(container, "start")

    async def _not_started(
        self, container: ManagedContainer, error: EngineError | OSError
    ) -> EngineError:
        """Note why; the error to be raised, in Docker's words where it is the command's."""
        code, message = _NOT_STARTED, str(error)
        if isinstance(error, CommandNotFound):
            code = error.exit_code
            configuration = container.record.configuration
            words = (configuration.entrypoint or ()) + (configuration.command or ())
            message = refusal(words[0], code)
        end = msgspec.structs.replace(container.record.end, exit_code=code, error=message)
        container.change(end=end)
        if container.record.host.auto_remove:
            await self._removal.remove(container, volumes=True)
        else:
            await self._registry.save(container.record)
        if isinstance(error, CommandNotFound):
            return CommandNotFound(message, code)
        return error if isinstance(error, EngineError) else EngineError(message)

    def _begin(self, container: ManagedContainer, status: ContainerStatus) -> None:
        container.running = True
        container.paused = status.paused
        container.process = status.process
        container.started = _nanoseconds(status.started)
        container.ended.clear()
        self.logs.follow(container)
        if status.phase == "exited":
            self.keep(self._handle_end(container))

    def _changed(self, status: ContainerStatus) -> None:
        container = self._registry.get(status.identifier)
        if container is not None and status.phase == "exited":
            self.keep(self._handle_end(container))

    async def _handle_end(self, container: ManagedContainer) -> None:
        async with container.lock:
            if not container.running:
                return
            status = await self._parts.engine.status(container.identifier)
            if status.phase != "exited":
                return
            try:
                await self._after_end(container, status)
            except (EngineError, OSError):
                _log.exception("the end of container %s was not noted", container.identifier)
            finally:
                container.tell_end()
                container.ended.set()

    async def _after_end(self, container: ManagedContainer, status: ContainerStatus) -> None:
        health.stop(container)
        container.running = container.paused = False
        container.change(end=_end_of(status))
        self._tell_death(container, status)
        await self.logs.finish(container)
        await self._launch.release(container)
        record = container.record
        if restart_policy.restarts(
            record.host.restart_policy,
            status.exit_code,
            by_hand=record.stopped_by_hand or container.kept_at_end,
            count=record.restart_count,
        ):
            self._restart_later(container, status.finished - status.started)
        elif record.host.auto_remove and not container.kept_at_end:
            container.tell_end()
            container.ended.set()
            await self._removal.remove(container, volumes=True, at_once=True)
            return
        await self._registry.save(record)

    def _tell_death(self, container: ManagedContainer, status: ContainerStatus) -> None:
        if status.out_of_memory:
            self._registry.publish(container, "oom")
        seconds = str(int(max(0.0, status.finished - status.started)))
        self._registry.publish(
            container, "die", exitCode=str(status.exit_code), execDuration=seconds
        )

    def _restart_later(self, container: ManagedContainer, ran_seconds: float) -> None:
        pause = restart_policy.next_pause(container.pause_before_restart, ran_seconds)
        container.pause_before_restart = pause
        container.restarting = self.keep(self._restart_after(container, pause))

    async def _restart_after(self, container: ManagedContainer, pause: float) -> None:
        await asyncio.sleep(pause)
        await asyncio.shield(self.keep(self.start_again(container)))

    def _cancel_restart(self, container: ManagedContainer) -> None:
        if container.restarting is not None:
            container.restarting.cancel()
            container.restarting = None

    async def _stopped_by_hand(self, container: ManagedContainer) -> None:
        self._cancel_restart(container)
        if not container.record.stopped_by_hand:
            container.change(stopped_by_hand=True)
            if container.record.host.restart_policy.name not in ("", "no"):
                await self._registry.save(container.record)
        await self._until_settled(container)

    async def _until_settled(self, container: ManagedContainer) -> None:
        """A start that is under way comes to its end first."""
        async with container.lock:
            return

    async def _end(self, container: ManagedContainer, number: int, grace: float) -> None:
        """Ask it to end, and kill it when the grace is over; a negative one never is."""
        await self._send(container, number)
        try:
            async with asyncio.timeout(None if grace < 0 else grace):
                await container.ended.wait()
        except TimeoutError:
            if container.running:
                await self._send(container, signals.SIGKILL)
                await self._parts.engine.stop(container.identifier, 0)
            await container.ended.wait()

    async def _send(self, container: ManagedContainer, number: int) -> None:
        await self._parts.engine.kill(container.identifier, number)
        self._registry.publish(container, "kill", signal=str(int(number)))
        if container.paused:
            await self._thaw(container)

    async def _thaw(self, container: ManagedContainer) -> None:
        await self._parts.engine.unpause(container.identifier)
        container.paused = False

    def _watch_health(self, container: ManagedContainer) -> None:
        """A check that runs on through a pause would find nothing but the pause."""
        if container.running and not container.paused and container.health is not None:
            container.health_task = self.keep(
                health.watch(container, self._parts, self._told_health)
            )

    def _told_health(self, container: ManagedContainer, state: Health) -> None:
        before, container.health = container.health, state
        if before is None or before.status != state.status:
            self._registry.publish(container, f"health_status: {state.status}")


def _end_of(status: ContainerStatus) -> RecordedEnd:
    return RecordedEnd(
        exit_code=status.exit_code,
        error=status.message,
        out_of_memory=status.out_of_memory,
        started=_nanoseconds(status.started),
        finished=_nanoseconds(status.finished),
    )


def _nanoseconds(seconds: float) -> int:
    return int(seconds * _NANOSECONDS)
