"""How background tasks end. What tasks do is not known here."""

import asyncio
from collections.abc import Coroutine
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


async def until_first_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Run all of them until one ends, then cancel the others.

    What ends one of them raises nothing here: who passes bytes on in two directions is through
    when either breaks off.
    """
    running = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
