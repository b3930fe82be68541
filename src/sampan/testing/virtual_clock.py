"""An event loop whose time is told, not measured: when nothing is ready it jumps to the next
timer, so that days pass in milliseconds, and a run repeats exactly.

Nothing that runs on it may wait for the outside world: no sockets, no threads, no processes.
A program that waits for nothing at all would hang for ever; here it is an error.
"""

import asyncio
import math
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Stuck(RuntimeError):
    """Everything waits, and no timer is left that could end it."""


class _Skipping(selectors.DefaultSelector):
    """A selector that takes the time it was told to wait as passed."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found: list[Any] = super().select(0)
        if found:
            return found
        if timeout is None:
            raise Stuck("nothing is ready and no timer is set")
        self.time = math.nextafter(self.time + max(0.0, timeout), math.inf)
        return found


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """A loop on virtual time, which starts at 0."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)
        # A timer that fires a hair early finds that its time has not come, sets itself again, and
        # does so for ever while time stands still. So none does: see the step past it in `select`.
        self._clock_resolution = 0.0

    def time(self) -> float:
        return self._skipping.time

    def stall(self, seconds: float) -> None:
        """Let time pass in which nothing ran, as when the process was stopped."""
        self._skipping.time += seconds

    def now(self) -> datetime:
        """The wall clock."""
        return EPOCH + timedelta(seconds=self.time())


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on virtual time, as `asyncio.run` does on real time."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(main)


def running_loop() -> VirtualClockLoop:
    """The loop that runs, which must be a virtual one."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualClockLoop):
        raise TypeError("this must run on virtual time")
    return loop
