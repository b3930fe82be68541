"""When to look after endpoints that new connections no longer go to. Pure.

A try to connect that nobody answered stays in the kernel's table for two minutes, even if the
client gave up: what it sends again, and the next try from the same port, would be led to the
same dead endpoint. What was on its way when the endpoint left is looked for soon, and again.
"""

from collections.abc import Iterable

from sampan.network.contract import Endpoint

_LOOKS_AFTER_SECONDS = (1.0, 3.0, 10.0)


class DepartedEndpoints:
    """Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._looks: dict[Endpoint, tuple[float, ...]] = {}

    def leave(self, endpoints: Iterable[Endpoint], now: float) -> None:
        """New connections don't go to these any longer."""
        for endpoint in endpoints:
            self._looks[endpoint] = tuple(now + seconds for seconds in _LOOKS_AFTER_SECONDS)

    def come(self, endpoints: Iterable[Endpoint]) -> None:
        """New connections go to these (again)."""
        for endpoint in endpoints:
            self._looks.pop(endpoint, None)

    def take_due(self, now: float) -> list[Endpoint]:
        """The endpoints to look after now, each once however late this is."""
        due = [endpoint for endpoint, looks in self._looks.items() if looks[0] <= now]
        for endpoint in due:
            later = tuple(look for look in self._looks[endpoint] if look > now)
            if later:
                self._looks[endpoint] = later
            else:
                del self._looks[endpoint]
        return due

    def next_look(self) -> float | None:
        """When the next endpoint is due; None when none will be."""
        return min((looks[0] for looks in self._looks.values()), default=None)
