"""The pods that wait for a node: which is next, and when a refused one may try again. Pure but
for its own state; time is an argument.

Higher priority first, then the one that waits longest. A pod that found no node rests until
something changes that could help it, and at least for a backoff that doubles up to a second.
"""

import heapq

import msgspec

FIRST_BACKOFF_SECONDS = 0.05
LONGEST_BACKOFF_SECONDS = 1.0


class _Resting(msgspec.Struct, frozen=True):
    priority: int
    until: float


class Pending:
    """Keys of pods, each waiting or resting."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str]] = []
        self._waiting: dict[str, int] = {}
        self._resting: dict[str, _Resting] = {}
        self._failures: dict[str, int] = {}
        self._stirred: set[str] = set()
        self._counter = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: str, priority: int) -> None:
        """A pod waits for a node, if it does not wait already."""
        self._resting.pop(key, None)
        if key in self._waiting:
            return
        self._counter += 1
        self._waiting[key] = self._counter
        heapq.heappush(self._heap, (-priority, self._counter, key))

    def discard(self, key: str) -> None:
        """A pod waits no more: it has a node, or is gone."""
        self._waiting.pop(key, None)
        self._resting.pop(key, None)
        self._failures.pop(key, None)

    def pop(self) -> str | None:
        """The next pod; None when none waits."""
        while self._heap:
            _, number, key = heapq.heappop(self._heap)
            if self._waiting.get(key) == number:
                del self._waiting[key]
                return key
        return None

    def rest(self, key: str, priority: int, now: float) -> None:
        """A pod found no node."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        backoff = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 16), LONGEST_BACKOFF_SECONDS)
        self._resting[key] = _Resting(priority, now + backoff)

    def stir(self) -> None:
        """Something changed that could help those that rest."""
        self._stirred.update(self._resting)

    def rise(self, now: float) -> float | None:
        """Let those wait again that were stirred and have rested long enough. The time at which
        the next of the stirred ones will have, None when there is none."""
        upcoming: list[float] = []
        for key in tuple(self._stirred):
            each = self._resting.get(key)
            if each is None:
                self._stirred.discard(key)
            elif each.until <= now:
                self.add(key, each.priority)
                self._stirred.discard(key)
            else:
                upcoming.append(each.until)
        return min(upcoming, default=None)
