"""Ending one run of a container: preStop hook, stop signal, grace, SIGKILL."""

from collections.abc import Callable

from sampan.node.handlers import HandlerFailed, Target, run_handler
from sampan.node.pod_view import Handler

LEAST_GRACE = 2.0


async def stop(
    target: Target,
    *,
    hook: Handler | None,
    deadline: float,
    clock: Callable[[], float],
    hook_failed: Callable[[str], None],
) -> None:
    """Return when the run has ended. The hook uses up the grace; after it there are 2 s at least.

    Raises EngineError.
    """
    remaining = deadline - clock()
    if hook and remaining > 0:
        try:
            await run_handler(hook, target, remaining)
        except HandlerFailed as error:
            hook_failed(str(error))
        remaining = max(deadline - clock(), LEAST_GRACE)
    await target.engine.stop(target.identifier, max(remaining, 0.0))
