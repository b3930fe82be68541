"""What is needed by work under way, so that a collection leaves it: digests, counted.

Whoever takes something for needed pins it first and looks for it afterwards; the collection
decides and moves away under the same guard. What the digests are of is not known here.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class PinBoard:
    """All pins of one store. May be used in any thread."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self._counts: Counter[str] = Counter()

    @contextmanager
    def pinned(self) -> Iterator["PinSet"]:
        """A set whose digests are kept while the block runs."""
        pins = PinSet(self)
        try:
            yield pins
        finally:
            pins.release()

    def held(self) -> set[str]:
        with self.guard:
            return {digest for digest, count in self._counts.items() if count > 0}

    def change(self, digests: set[str], by: int) -> None:
        with self.guard:
            for digest in digests:
                self._counts[digest] += by
                if not self._counts[digest]:
                    del self._counts[digest]


class PinSet:
    """What one pull, load or build needs kept; several may pin the same digest."""

    def __init__(self, board: PinBoard) -> None:
        self._board = board
        self._held: set[str] = set()

    def add(self, *digests: str) -> None:
        """May be called in any thread."""
        with self._board.guard:
            fresh = set(digests) - self._held
            self._board.change(fresh, 1)
            self._held |= fresh

    def release(self) -> None:
        with self._board.guard:
            self._board.change(self._held, -1)
            self._held.clear()
