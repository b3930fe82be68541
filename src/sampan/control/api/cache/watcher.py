"""One watch of one resource: a bounded queue of frames between the cache and a connection.

Theory: the cache delivers each change once, in order, and never waits. The watcher turns a
change into what its selection sees of it: an object that starts to match is ADDED, one that
stops is DELETED. When more waits than the queue holds, the watcher is cut off, and its client
is told to start again from a list (410).
"""

import asyncio
from collections.abc import Callable

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent, EventType

QUEUE_EVENTS = 8192

Render = Callable[[CacheEvent, EventType], bytes]


def shared_frame(event: CacheEvent, kind: EventType) -> bytes:
    """The frame that all watchers of whole objects share."""
    return event.frame(kind)


class Watcher:
    """The queue of one watch. `render` makes the frame in the form its client asked for."""

    __slots__ = ("_frames", "_waiter", "ended", "overflowed", "render", "selection")

    def __init__(self, selection: Selection, render: Render = shared_frame) -> None:
        self.selection = selection
        self.render = render
        self.ended = False
        self.overflowed = False
        self._frames: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None

    def deliver(self, event: CacheEvent) -> None:
        """Queue what this watch sees of a change."""
        kind = self.sees(event)
        if kind is None or self.ended:
            return
        if len(self._frames) >= QUEUE_EVENTS:
            self._frames = []
            self.overflowed = True
            self.end()
            return
        self._frames.append(self.render(event, kind))
        self._wake()

    def sees(self, event: CacheEvent) -> EventType | None:
        """How the change looks through the selection; None when it isn't seen at all."""
        matches = self.selection.matches
        before = event.old is not None and matches(event.old)
        after = event.new is not None and matches(event.new)
        if after:
            return "MODIFIED" if before else "ADDED"
        return "DELETED" if before else None

    def end(self) -> None:
        """Take no more; `take` gives what is queued and then nothing."""
        self.ended = True
        self._wake()

    def take(self, most: int) -> bytes:
        """Queued frames in one piece of about `most` bytes; empty when there are none."""
        frames = self._frames
        if len(frames) <= 1:
            self._frames = []
            return frames[0] if frames else b""
        size = 0
        for count, frame in enumerate(frames, 1):  # noqa: B007 - read after the loop
            size += len(frame)
            if size >= most:
                break
        self._frames = frames[count:]
        return b"".join(frames[:count])

    async def wait(self, until: float) -> None:
        """Return when frames are queued, the watch has ended, or the loop's time is `until`."""
        if self._frames or self.ended:
            return
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        timer = loop.call_at(until, self._wake)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
