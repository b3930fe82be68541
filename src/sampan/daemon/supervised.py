"""One process that must run: started, adopted, watched by pidfd, started again, ended."""

import logging
import os
import signal
import time
from collections.abc import Callable

from sampan.daemon.dispatcher import Dispatcher
from sampan.daemon.process_records import ProcessRecords
from sampan.daemon.restarts import LONGEST_PAUSE, Restarts

_log = logging.getLogger(__name__)


class Supervised:
    """`start` forks the process and returns its id; it may raise OSError.

    A process of this role that a supervisor before us started is adopted, not doubled.
    `since` is when this supervisor started it, in seconds since the epoch, 0 for an adopted one.
    """

    def __init__(
        self,
        role: str,
        start: Callable[[], int],
        dispatcher: Dispatcher,
        records: ProcessRecords,
    ) -> None:
        self.role = role
        self.wanted = False
        self.process: int | None = None
        self.since = 0.0
        self.restarts = Restarts()
        self._start = start
        self._dispatcher = dispatcher
        self._records = records
        self._descriptor = -1
        self._at_end: list[Callable[[], None]] = []

    def run(self) -> bool:
        """See to it that it runs from now on; True when that needed a start."""
        self.wanted = True
        if self.process is not None:
            return False
        if living := self._records.living(self.role):
            self._follow(*living)
            _log.info("adopted %s, process %d", self.role, living[0])
            return False
        self._start_now()
        return True

    def end(self, number: signal.Signals, then: Callable[[], None]) -> None:
        """Send it a signal and leave it ended; `then` is called once it has."""
        self.wanted = False
        if self.process is None and (living := self._records.living(self.role)):
            self._follow(*living)
        if self.process is None:
            then()
            return
        self._at_end.append(then)
        self.send(number)

    def send(self, number: signal.Signals) -> None:
        """Nothing happens when it has ended."""
        if self._descriptor >= 0:
            try:
                signal.pidfd_send_signal(self._descriptor, number)
            except ProcessLookupError:
                _log.info("%s has ended before it got %s", self.role, number.name)

    def _start_now(self) -> None:
        if not self.wanted or self.process is not None:
            return
        self.restarts = self.restarts.at_start(time.monotonic())
        self.since = time.time()
        try:
            process = self._start()
            descriptor = os.pidfd_open(process)
        except OSError as failure:
            _log.error("%s can't be started: %s", self.role, failure)
            self._dispatcher.after(LONGEST_PAUSE, self._start_now)
            return
        self._records.write(self.role, process)
        self._follow(process, descriptor)
        _log.info("started %s, process %d", self.role, process)

    def _follow(self, process: int, descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self._dispatcher.on_readable(descriptor, self._ended)

    def _ended(self) -> None:
        self._dispatcher.forget(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        _log.log(
            logging.ERROR if self.wanted else logging.INFO,
            "%s, process %d, has ended",
            self.role,
            self.process,
        )
        self.process = None
        self._records.remove(self.role)
        callbacks, self._at_end = self._at_end, []
        for callback in callbacks:
            callback()
        if self.wanted:
            self.restarts, pause = self.restarts.at_end(time.monotonic())
            if pause:
                self._dispatcher.after(pause, self._start_now)
            else:
                self._start_now()
