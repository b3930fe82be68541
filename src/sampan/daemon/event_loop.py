"""How every process with an event loop runs it."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop

# A thread that computes gives the loop its turn within half a millisecond, not five.
_SWITCH_SECONDS = 0.0005
# Requests make thousands of objects that die without a collector: one that looks at each 700
# new ones takes a tenth of a server's time, most of it on requests that are just being answered.
_COLLECTION_THRESHOLDS = (50_000, 20, 50)


def run_until_terminated(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main` in an event loop; its event is set at SIGTERM and SIGINT."""
    sys.setswitchinterval(_SWITCH_SECONDS)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    uvloop.run(run())


def collect_seldom() -> None:
    """For a process that answers thousands of requests a second."""
    gc.set_threshold(*_COLLECTION_THRESHOLDS)


async def end_of_file(descriptor: int | None, stop: asyncio.Event) -> None:
    """Wait until nobody can write to a pipe any more, or `stop` is set; at once for None."""
    if descriptor is None:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    waits = [asyncio.create_task(event.wait()) for event in (ended, stop)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    loop.remove_reader(descriptor)
