"""The queues of one priority level: whose request is next. Pure.

Theory (KEP-1040): each flow is dealt a hand of queues by its hash, and a request joins the
shortest of them, so that a flood fills few queues and others have one without it. The queues
take turns by virtual time: each is charged the seat-seconds that its requests use, a guess at
first and the truth when they end, and the one that has been charged least is served next.
"""

import hashlib
from collections import deque
from typing import Generic, TypeVar

from sampan.control.api.fairness.configuration import Queuing

GUESSED_SECONDS = 0.05

T = TypeVar("T")


def deal(flow: str, queues: int, hand_size: int) -> list[int]:
    """The hand of a flow: different queues, the same ones each time."""
    value = int.from_bytes(hashlib.blake2b(flow.encode(), digest_size=16).digest(), "big")
    hand: list[int] = []
    for dealt in range(min(hand_size, queues)):
        value, card = divmod(value, queues - dealt)
        for lower in sorted(hand):
            if card >= lower:
                card += 1
        hand.append(card)
    return hand


class Queue(Generic[T]):
    """Requests of some flows, in the order in which they came."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[T, int]] = deque()
        self.charged = 0.0
        self.seats_in_use = 0

    @property
    def length(self) -> int:
        return len(self.waiting)

    def finish(self, width: int, seconds: float) -> None:
        """A request of this queue has ended, after so long."""
        self.seats_in_use -= width
        self.charged += width * (seconds - GUESSED_SECONDS)


class Queues(Generic[T]):
    """All queues of a level."""

    def __init__(self, queuing: Queuing) -> None:
        self.queuing = queuing
        self._queues: list[Queue[T]] = [Queue() for _ in range(queuing.queues)]
        self._time = 0.0
        self.length = 0

    def choose(self, flow: str) -> Queue[T]:
        """The queue that a request of this flow would join."""
        hand = deal(flow, len(self._queues), self.queuing.hand_size)
        return min(
            (self._queues[card] for card in hand),
            key=lambda queue: (queue.length, queue.seats_in_use),
        )

    def join(self, queue: Queue[T], item: T, width: int) -> bool:
        """Let a request wait; False when the queue is full."""
        if queue.length >= self.queuing.queue_length_limit:
            return False
        if not queue.waiting:
            queue.charged = max(queue.charged, self._time)
        queue.waiting.append((item, width))
        self.length += 1
        return True

    def leave(self, queue: Queue[T], item: T) -> None:
        """A request no longer waits, without having been served."""
        remaining = [entry for entry in queue.waiting if entry[0] is not item]
        self.length -= len(queue.waiting) - len(remaining)
        queue.waiting = deque(remaining)

    def next_width(self) -> int | None:
        """How many seats the next request wants; None when none waits."""
        queue = self._next()
        return queue.waiting[0][1] if queue is not None else None

    def take(self) -> tuple[Queue[T], T, int]:
        """Serve the next request: its queue, itself and its width. Only when one waits."""
        queue = self._next()
        assert queue is not None
        item, width = queue.waiting.popleft()
        self.length -= 1
        self.begin(queue, width)
        return queue, item, width

    def begin(self, queue: Queue[T], width: int) -> None:
        """Charge a queue for a request that is served."""
        queue.charged = max(queue.charged, self._time)
        self._time = queue.charged
        queue.charged += width * GUESSED_SECONDS
        queue.seats_in_use += width

    def _next(self) -> Queue[T] | None:
        if not self.length:
            return None
        waiting = (queue for queue in self._queues if queue.waiting)
        return min(waiting, key=lambda queue: queue.charged)
