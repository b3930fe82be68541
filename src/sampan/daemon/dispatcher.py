"""A loop over descriptors, signals and timers for a process that forks.

The supervisor and the node holders fork for as long as they live, which a process with an
event loop full of callbacks and threads must not; this one has neither. It knows nothing of
what the callbacks do. A callback that raises ends the loop: its owner is restarted instead of
running on half-broken.
"""

import heapq
import selectors
import signal
import socket
import time
from collections.abc import Callable
from itertools import count

Callback = Callable[[], None]


class Dispatcher:
    """Not thread-safe; one a process."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callback]] = []
        self._sequence = count()
        self._signals: dict[int, Callback] = {}
        self._running = False
        self._wakeup, self._woken = socket.socketpair()
        self._wakeup.setblocking(False)
        self._woken.setblocking(False)
        self.on_readable(self._woken.fileno(), self._deliver_signals)

    def on_readable(self, descriptor: int, callback: Callback) -> None:
        """Call back whenever the descriptor can be read, until `forget`."""
        self._selector.register(descriptor, selectors.EVENT_READ, callback)

    def forget(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def after(self, seconds: float, callback: Callback) -> None:
        """Call back once, when so many seconds have passed."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._sequence), callback))

    def on_signal(self, number: int, callback: Callback) -> None:
        """Call back from the loop, never from within other code."""
        self._signals[number] = callback
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        signal.signal(number, lambda _number, _frame: None)

    def run(self) -> None:
        """Until `stop`."""
        self._running = True
        while self._running:
            for key, _ in self._selector.select(self._until_next_timer()):
                if key.fd in self._selector.get_map():  # an earlier callback may have forgotten it
                    key.data()
            self._call_due_timers()

    def stop(self) -> None:
        self._running = False

    def close(self) -> None:
        """Let go of its own descriptors; those that it watches belong to others."""
        self._selector.close()
        self._wakeup.close()
        self._woken.close()

    def _deliver_signals(self) -> None:
        for number in dict.fromkeys(self._woken.recv(4096)):
            if callback := self._signals.get(number):
                callback()

    def _until_next_timer(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic())

    def _call_due_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
