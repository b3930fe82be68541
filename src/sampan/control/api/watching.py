"""Watches: what is there, then every change, until the client, the time or the queue ends it.

Theory: between taking the initial state and registering with the cache nothing is awaited, so
no change falls between them. The stream sends whole frames; a bookmark now and then lets a
client resume from where the cache is, not from where its own objects last changed.
"""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import msgspec

from sampan.control.api import rendering
from sampan.control.api.cache.resource_cache import ResourceCache, TooOld
from sampan.control.api.cache.stored_object import CacheEvent, StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.cache.watcher import Watcher
from sampan.control.api.call import Call
from sampan.control.api.negotiation import Wanted, wanted
from sampan.control.api.refusal import JSON_HEADERS, Refused
from sampan.control.api.request_options import (
    flag,
    fresh_enough,
    integer,
    resource_version,
    selection_of,
)
from sampan.foundation.wire.message import Request, Response
from sampan.kubernetes.machinery import status

BOOKMARK_SECONDS = 60.0
SHORTEST_DEFAULT_SECONDS = 1800.0
PIECE_BYTES = 128 * 1024


class Watching:
    """The handler of `watch`."""

    def __init__(self, cache: WatchCache, clock: rendering.Clock, random: Random) -> None:
        self._cache = cache
        self._clock = clock
        self._random = random

    async def __call__(self, call: Call) -> Response:
        """Raises Refused: 400 for a bad option, 410 for a revision that is too old."""
        request, kind = call.request, call.routed
        form = wanted(request.headers.get("accept", ""))
        asked = resource_version(request)
        wants_initial = _wants_initial(request)
        await fresh_enough(self._cache, asked)
        cache = self._cache.of(kind.resource)
        render = rendering.render_for(kind, request, form, self._clock)
        watcher = Watcher(selection_of(call), render)
        stream = WatchStream(self._cache, cache, watcher, form, self._seconds(request))
        if wants_initial or not (asked or request.parameter("sendInitialEvents")):
            stream.begin_with(list(cache.select(watcher.selection)), told_end=wants_initial)
        elif asked:
            _replay(cache, watcher, asked)
        stream.bookmarks = flag(request, "allowWatchBookmarks")
        cache.add_watcher(watcher)
        return Response(headers=JSON_HEADERS, body=stream)

    def _seconds(self, request: Request) -> float:
        """Unless the client says how long, watches end at different times."""
        given = integer(request, "timeoutSeconds")
        return given or SHORTEST_DEFAULT_SECONDS * (1 + self._random.random())


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
        self._initial: list[StoredObject] = []
        self._initial_end: bytes = b""
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
            self._initial_end = rendering.bookmark_frame(
                self._cache.kind, self._revision, self._form, ends_initial=True
            )

    async def __anext__(self) -> bytes:
        if self._initial or self._initial_end:
            return self._initial_piece()
        loop = asyncio.get_running_loop()
        while True:
            piece = self._watcher.take()
            if piece:
                return piece
            if self._watcher.ended:
                return self._last_piece()
            now = loop.time()
            if now >= self._deadline:
                raise StopAsyncIteration
            if self.bookmarks and now >= self._next_bookmark:
                self._next_bookmark = now + BOOKMARK_SECONDS
                return rendering.bookmark_frame(
                    self._cache.kind, self._revision, self._form, ends_initial=False
                )
            until = self._next_bookmark if self.bookmarks else self._deadline
            await self._watcher.wait(min(until, self._deadline))

    async def aclose(self) -> None:
        self._cache.remove_watcher(self._watcher)
        self._watcher.end()

    def _initial_piece(self) -> bytes:
        frames: list[bytes] = []
        size = 0
        while self._initial and size < PIECE_BYTES:
            stored = self._initial.pop()
            event = CacheEvent(stored.revision, None, stored, {})
            frames.append(self._watcher.render(event, "ADDED"))
            size += len(frames[-1])
        if not self._initial:
            frames.append(self._initial_end)
            self._initial_end = b""
        return b"".join(frames)

    def _last_piece(self) -> bytes:
        """A watcher that was cut off is told so; any other just ends."""
        if not self._watcher.overflowed or self._finished:
            raise StopAsyncIteration
        self._finished = True
        gone = status.expired("too many changes were waiting for this watch; list again")
        return b'{"type":"ERROR","object":%b}\n' % msgspec.json.encode(gone)


def _wants_initial(request: Request) -> bool:
    if request.parameter("sendInitialEvents") == "":
        if request.parameter("resourceVersionMatch"):
            message = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is set"
            raise Refused(status.bad_request(message))
        return False
    if request.parameter("resourceVersionMatch") != "NotOlderThan":
        message = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise Refused(status.bad_request(message))
    return flag(request, "sendInitialEvents")


def _replay(cache: ResourceCache, watcher: Watcher, revision: int) -> None:
    try:
        events = cache.events_after(revision)
    except TooOld as error:
        raise Refused(status.too_old(revision, cache.floor)) from error
    for event in events:
        watcher.deliver(event)
