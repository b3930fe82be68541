"""Whether a container is well: its own check, run now and then inside it.

The rules are Docker's (Dockerfile reference, HEALTHCHECK): while the start period lasts failures
don't count, unless it was healthy before; as many failures in a row as there are retries make it
unhealthy, one success healthy.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from sampan.engine.containers.configuration import HealthConfiguration
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import Health, HealthResult
from sampan.engine.containers.parts import Parts
from sampan.engine.contract import EngineError, ExecSession

_log = logging.getLogger(__name__)
_SECOND = 1_000_000_000
_INTERVAL, _TIMEOUT, _START_INTERVAL, _RETRIES = 30 * _SECOND, 30 * _SECOND, 5 * _SECOND, 3
_OUTPUT_LIMIT = 4096
_RESULTS_KEPT = 5
_COULD_NOT_RUN = -1
_SHELL = ("/bin/sh", "-c")
_Told = Callable[[ManagedContainer, Health], None]


def command_of(check: HealthConfiguration | None, shell: tuple[str, ...] | None) -> tuple[str, ...]:
    """What is run; () when there is no check."""
    test = check.test if check is not None else None
    if not test or test[0] == "NONE":
        return ()
    if test[0] == "CMD-SHELL":
        return (*(shell or _SHELL), *test[1:2])
    return test[1:] if test[0] == "CMD" else ()


def beginning(check: HealthConfiguration | None) -> Health | None:
    """The health of a container that has just been started."""
    return Health() if command_of(check, None) else None


def after(before: Health, result: HealthResult, *, retries: int, starting: bool) -> Health:
    """The health after one more result; `starting`: failures don't count yet."""
    log = (*before.log, result)[-_RESULTS_KEPT:]
    if result.exit_code == 0:
        return Health(status="healthy", failing_streak=0, log=log)
    if starting and before.status == "starting":
        return msgspec.structs.replace(before, log=log)
    streak = before.failing_streak + 1
    status = "unhealthy" if streak >= (retries or _RETRIES) else before.status
    return Health(status=status, failing_streak=streak, log=log)


def pause_before_check(check: HealthConfiguration, *, starting: bool) -> float:
    """Seconds until the next check; while it starts up they may come closer together."""
    interval = check.interval or _INTERVAL
    if starting and check.start_period:
        interval = min(interval, check.start_interval or _START_INTERVAL)
    return interval / _SECOND


def stop(container: ManagedContainer) -> None:
    """Check no more."""
    if container.health_task is not None:
        container.health_task.cancel()
        container.health_task = None


async def watch(container: ManagedContainer, parts: Parts, told: _Told) -> None:
    """Check a running container again and again, until cancelled."""
    configuration = container.record.configuration
    check = configuration.health_check
    command = command_of(check, configuration.shell)
    if check is None:
        return
    while True:
        starting = _is_starting(container, check, parts.clock())
        await asyncio.sleep(pause_before_check(check, starting=starting))
        result = await _checked(container, parts, command, check.timeout or _TIMEOUT)
        starting = _is_starting(container, check, parts.clock())
        before = container.health or Health()
        told(container, after(before, result, retries=check.retries, starting=starting))


def _is_starting(container: ManagedContainer, check: HealthConfiguration, now: int) -> bool:
    health = container.health
    is_new = health is None or health.status == "starting"
    return is_new and now - container.started < check.start_period


async def _checked(
    container: ManagedContainer, parts: Parts, command: tuple[str, ...], timeout: int
) -> HealthResult:
    started = parts.clock()
    output = bytearray()
    try:
        session = await parts.engine.execute(container.identifier, command)
    except (EngineError, OSError) as error:
        exit_code, output[:] = _COULD_NOT_RUN, str(error).encode()
    else:
        exit_code = await _run(session, output, timeout / _SECOND)
    return HealthResult(
        started=started,
        finished=parts.clock(),
        exit_code=exit_code,
        output=bytes(output).decode(errors="replace"),
    )


async def _run(session: ExecSession, output: bytearray, timeout: float) -> int:
    try:
        async with asyncio.timeout(timeout):
            async for _, piece in session.output():
                output.extend(piece[: _OUTPUT_LIMIT - len(output)])
            return await session.wait()
    except TimeoutError:
        output[:] = f"Health check exceeded timeout ({timeout:g}s)".encode()
        return _COULD_NOT_RUN
    finally:
        await session.kill()
