"""How many requests each priority level may serve at once, and what levels lend each other.

Theory: the server's seats are divided by shares. A level may always use its own; more only
while others leave seats unused that they lend. Pure; it knows no requests.
"""

import math
from collections.abc import Mapping

from sampan.control.api.fairness.configuration import PriorityLevel


class Seats:
    """The seats of one level."""

    def __init__(self) -> None:
        self.nominal = 0
        self.lendable = 0
        self.most = 0
        self.in_use = 0

    @property
    def unused(self) -> int:
        """What it lends now."""
        return min(self.lendable, max(0, self.nominal - self.in_use))

    @property
    def borrowed(self) -> int:
        return max(0, self.in_use - self.nominal)


class Hall:
    """All levels' seats, by the level's name."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._levels: dict[str, Seats] = {}

    def arrange(self, levels: Mapping[str, PriorityLevel]) -> None:
        """Divide the seats anew; who sits keeps their seat."""
        shares = sum(level.shares for level in levels.values()) or 1
        self._levels = {
            name: self._sized(self._levels.get(name) or Seats(), level, shares)
            for name, level in levels.items()
        }

    def _sized(self, seats: Seats, level: PriorityLevel, shares: int) -> Seats:
        limited = level.limited
        seats.nominal = math.ceil(self._total * level.shares / shares)
        if limited is None:
            exempt = level.spec.exempt
            percent = exempt.lendable_percent if exempt is not None else 0
            seats.lendable, seats.most = round(seats.nominal * percent / 100), seats.nominal
            return seats
        seats.lendable = round(seats.nominal * limited.lendable_percent / 100)
        borrowing = limited.borrowing_limit_percent
        extra = self._total if borrowing is None else round(seats.nominal * borrowing / 100)
        seats.most = seats.nominal + extra
        return seats

    def of(self, name: str) -> Seats:
        return self._levels[name]

    def has_room(self, seats: Seats, width: int) -> bool:
        """Whether a level may serve a request of this width now; a free level serves any."""
        wanted = seats.in_use + width
        if wanted <= seats.nominal or not seats.in_use:
            return True
        return wanted <= seats.most and wanted - seats.nominal <= self._spare(seats)

    def _spare(self, seats: Seats) -> int:
        others = [other for other in self._levels.values() if other is not seats]
        return sum(other.unused for other in others) - sum(other.borrowed for other in others)
