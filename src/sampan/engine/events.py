"""What happened in the engine, told to whoever listens: Docker's events.

Kinds, actions and attributes are Docker's (Docker Engine API, `/events`). The last of them are
kept, so that a listener may begin in the past. What an event is about is not known here.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Literal

import msgspec

EventKind = Literal["container", "image", "network", "volume", "builder", "daemon"]
_KEPT = 1024
_WAITING = 4096


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is in nanoseconds since the epoch; no two events of an engine have the same."""

    kind: EventKind
    action: str
    identifier: str
    attributes: dict[str, str]
    time: int


class Events:
    """Publishing and listening, within one event loop. `clock` gives nanoseconds."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._ring: deque[Event] = deque(maxlen=_KEPT)
        self._listeners: set[_Listener] = set()
        self._last = 0

    def publish(
        self,
        kind: EventKind,
        action: str,
        identifier: str,
        attributes: Mapping[str, str] | None = None,
    ) -> Event:
        """Tell of an event; nobody is waited for."""
        self._last = max(self._clock(), self._last + 1)
        event = Event(
            kind=kind,
            action=action,
            identifier=identifier,
            attributes=dict(attributes or {}),
            time=self._last,
        )
        self._ring.append(event)
        for listener in tuple(self._listeners):
            listener.take(event)
        return event

    async def subscribe(self, since: int = 0, until: int = 0) -> AsyncIterator[Event]:
        """Events in their order, from now on, or from `since` on as far as they are kept.

        Both are in nanoseconds since the epoch, 0 for "not given". It ends after `until`, at
        once when that has passed; without it, never. A listener that falls far behind is let
        go: the iteration ends.
        """
        listener = _Listener()
        past = [event for event in self._ring if since and event.time >= since]
        self._listeners.add(listener)
        try:
            for event in past:
                if until and event.time > until:
                    return
                yield event
            while (event_or_none := await self._next(listener, until)) is not None:
                yield event_or_none
        finally:
            self._listeners.discard(listener)

    async def _next(self, listener: "_Listener", until: int) -> Event | None:
        if not until:
            return await listener.next()
        left = max(0, until - self._clock()) / 1e9
        try:
            async with asyncio.timeout(left):
                event = await listener.next()
        except TimeoutError:
            return None
        return event if event is not None and event.time <= until else None


class _Listener:
    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._woken = asyncio.Event()
        self._lost = False

    def take(self, event: Event) -> None:
        if len(self._waiting) >= _WAITING:
            self._lost = True
        else:
            self._waiting.append(event)
        self._woken.set()

    async def next(self) -> Event | None:
        while not self._waiting:
            if self._lost:
                return None
            self._woken.clear()
            await self._woken.wait()
        return self._waiting.popleft()
