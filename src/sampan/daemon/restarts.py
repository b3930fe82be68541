"""When a process that ended is started again. Pure."""

import msgspec

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
LONG_ENOUGH = 10.0


class Restarts(msgspec.Struct, frozen=True):
    """What is known of a process's starts: when the last one was, and how many ended early."""

    started: float = 0.0
    early_ends: int = 0
    total: int = 0

    def at_start(self, now: float) -> "Restarts":
        return Restarts(now, self.early_ends, self.total + 1)

    def at_end(self, now: float) -> tuple["Restarts", float]:
        """The new record, and the pause before the next start.

        None after a life of ten seconds or at the first early end; then 100 ms, doubling to 5 s.
        """
        if now - self.started >= LONG_ENOUGH:
            return Restarts(self.started, 0, self.total), 0.0
        pause = 0.0
        if self.early_ends:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.early_ends - 1, 10))
        return Restarts(self.started, self.early_ends + 1, self.total), pause
