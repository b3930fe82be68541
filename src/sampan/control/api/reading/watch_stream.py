"""The frames of one watch as a stream: what is there, then every change, then its end.

The stream sends whole frames, several in a piece when several wait. A bookmark now and then, and
one at the end, let a client resume from where the cache is, not from where its own objects last
changed. It knows nothing of requests.
"""

import asyncio
from collections.abc import AsyncIterator

from sampan.control.api.cache.resource_cache import ResourceCache
from sampan.control.api.cache.stored_object import CacheEvent, StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.cache.watcher import Watcher
from sampan.control.api.forms.negotiation import Wanted
from sampan.control.api.reading import watch_rendering
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery import status

BOOKMARK_SECONDS = 60.0
PIECE_BYTES = 128 * 1024
# A frame that is made takes tens of microseconds; one of an object's own bytes takes one.
PIECE_FRAMES_MADE = 24
PIECE_FRAMES_SHARED = 512


class WatchStream(AsyncIterator[bytes]):
    """The frames of one watch, several in a piece when several wait."""

    def __init__(
        self,
        whole: WatchCache,
        cache: ResourceCache,
        watcher: Watcher,
        form: Wanted,
        seconds: float,
    ) -> None:
        self._whole = whole
        self._cache = cache
        self._watcher = watcher
        self._form = form
        now = asyncio.get_running_loop().time()
        self._deadline = now + seconds
        self._next_bookmark = now + BOOKMARK_SECONDS
        cheap = form.form == "whole" and form.encoding == "json"
        self._piece_frames = PIECE_FRAMES_SHARED if cheap else PIECE_FRAMES_MADE
        self._initial: list[StoredObject] = []
        self._initial_end: bytes = b""
        self._error: Object | None = None
        self._finished = False
        self.bookmarks = False

    @property
    def _revision(self) -> int:
        """What a bookmark may tell: everything up to it has been delivered."""
        return self._whole.revision_of(self._cache.kind.resource)

    def begin_with(self, objects: list[StoredObject], *, told_end: bool) -> None:
        """Send these as ADDED first; `told_end` adds the bookmark that ends them."""
        objects.reverse()
        self._initial = objects
        if told_end:
            self._initial_end = self._bookmark(ends_initial=True)

    def end_with(self, told: Object) -> None:
        """Send a Status as the last event, and nothing after it."""
        self._error = told
        self._watcher.end()

    async def __anext__(self) -> bytes:
        if self._initial or self._initial_end:
            # Others get their turn between the pieces of a long beginning.
            await asyncio.sleep(0)
            return self._initial_piece()
        loop = asyncio.get_running_loop()
        while True:
            piece = self._watcher.take(PIECE_BYTES)
            if piece:
                return piece
            if self._watcher.ended:
                return self._last_piece()
            now = loop.time()
            if now >= self._deadline:
                return self._farewell()
            if self.bookmarks and now >= self._next_bookmark:
                self._next_bookmark = now + BOOKMARK_SECONDS
                return self._bookmark(ends_initial=False)
            until = self._next_bookmark if self.bookmarks else self._deadline
            await self._watcher.wait(min(until, self._deadline))

    async def aclose(self) -> None:
        self._cache.remove_watcher(self._watcher)
        self._watcher.end()

    def _initial_piece(self) -> bytes:
        frames: list[bytes] = []
        size = 0
        while self._initial and size < PIECE_BYTES and len(frames) < self._piece_frames:
            stored = self._initial.pop()
            event = CacheEvent(stored.revision, None, stored, {})
            frames.append(self._watcher.render(event, "ADDED"))
            size += len(frames[-1])
        if not self._initial:
            frames.append(self._initial_end)
            self._initial_end = b""
        return b"".join(frames)

    def _bookmark(self, *, ends_initial: bool) -> bytes:
        return watch_rendering.bookmark_frame(
            self._cache.kind, self._revision, self._form, ends_initial=ends_initial
        )

    def _farewell(self) -> bytes:
        """When the time is over, a last bookmark tells from where to go on."""
        if self._finished or not self.bookmarks:
            raise StopAsyncIteration
        self._finished = True
        return self._bookmark(ends_initial=False)

    def _last_piece(self) -> bytes:
        """A watcher that was cut off is told so; any other just ends."""
        if self._watcher.overflowed:
            self._error = status.expired("too many changes were waiting for this watch; list again")
        if self._error is None or self._finished:
            raise StopAsyncIteration
        self._finished = True
        return watch_rendering.error_frame(self._error, self._form)
