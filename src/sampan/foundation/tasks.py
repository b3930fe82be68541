"""The end of a background task. What tasks do is not known here."""

import asyncio
from typing import Any


async def end(task: asyncio.Task[Any] | None) -> None:
    """Cancel a task and wait until it has ended; None is no task.

    Raises the error that the task ended with, if it did; a cancellation of the caller goes
    through, where a suppressed CancelledError would swallow it.
    """
    if task is None:
        return
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled():
        task.result()
