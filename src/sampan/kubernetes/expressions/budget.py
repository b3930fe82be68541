"""How much work an evaluation may do, counted in the units of Kubernetes' cost limits."""

from collections.abc import Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sampan.kubernetes.expressions.errors import BudgetExceeded

# k8s.io/apiserver/pkg/apis/cel/config.go
PER_CALL = 1_000_000
PER_OBJECT = 10_000_000
PER_MATCH_CONDITIONS = 2_500_000
# k8s.io/apiserver/pkg/cel/limits.go
LARGEST_REQUEST = 3 * 1024 * 1024

# cel-go common/cost.go
_TRAVERSAL_TENTH = 10


_hurry: ContextVar[int | None] = ContextVar("hurry", default=None)


class TookTooLong(Exception):
    """What was begun in a hurry needs more time; see `hurried`. Nothing has been paid for it."""


@contextmanager
def hurried(most: int) -> Iterator[None]:
    """Inside, a budget that is made lets no more than `most` be spent of it, and what goes on
    longer ends in TookTooLong, however much it may cost elsewhere."""
    token = _hurry.set(most)
    try:
        yield
    finally:
        _hurry.reset(token)


def take_time(cost: int) -> None:
    """Before work that no budget pays for, of about so many steps. Raises TookTooLong in a hurry
    that has less."""
    most = _hurry.get()
    if most is not None and most < cost:
        raise TookTooLong


class Budget:
    """What is left. One budget may be shared by many evaluations."""

    __slots__ = ("_limit", "_over", "remaining")

    def __init__(self, limit: int = PER_CALL) -> None:
        most = _hurry.get()
        self._over: type[Exception] = BudgetExceeded
        if most is not None and most < limit:
            limit, self._over = most, TookTooLong
        self._limit = self.remaining = limit

    @property
    def spent(self) -> int:
        """What it has been charged with, at most its limit."""
        return self._limit - max(self.remaining, 0)

    def spend(self, cost: int) -> None:
        """Raises BudgetExceeded, or TookTooLong in a hurry."""
        self.remaining -= cost
        if self.remaining < 0:
            raise self._over

    def spend_through(self, value: Any) -> None:
        """Pay for reading a whole value. Raises BudgetExceeded."""
        self.spend(weight(value, self.remaining + 1))


def weight(value: Any, most: int) -> int:
    """The number of leaves and letters in a value, counted no further than `most`: what holds
    the same list many times over is larger than the memory that it takes."""
    pending: list[Iterator[Any]] = [iter((value,))]
    total = 0
    while pending and total < most:
        for it in pending[-1]:
            kind = type(it)
            total += 1
            if kind is str or kind is bytes:
                total += len(it) // _TRAVERSAL_TENTH
            elif kind is list or kind is tuple:
                pending.append(iter(it))
                break
            elif kind is dict:
                pending.append(iter(it.values()))
                break
        else:
            pending.pop()
    return total


def traversal(*values: Sized) -> int:
    """The cost of reading through texts, bytes or lists."""
    return -(-sum(map(len, values)) // _TRAVERSAL_TENTH)
