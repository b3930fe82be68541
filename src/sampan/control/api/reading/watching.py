"""Watches: what is there, then every change, until the client, the time or the queue ends it.

Theory: between taking the initial state and registering with the cache nothing is awaited, so
no change falls between them. Once a watch's options are understood, what is wrong with it is told
as its first event, as the client's loop expects it.
"""

import asyncio
from random import Random

from sampan.control.api.cache.resource_cache import ResourceCache, TooOld
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.cache.watcher import Watcher
from sampan.control.api.call import Call
from sampan.control.api.forms import rendering
from sampan.control.api.forms.negotiation import Wanted
from sampan.control.api.protobuf import envelope
from sampan.control.api.reading import read_options, watch_rendering
from sampan.control.api.reading.watch_stream import WatchStream
from sampan.control.api.refusal import JSON_HEADERS
from sampan.control.api.request_options import (
    fresh_enough,
    integer,
    resource_version,
    selection_of,
)
from sampan.foundation import tasks
from sampan.foundation.wire.message import Request, Response, WebSocket
from sampan.kubernetes.machinery import status

SHORTEST_DEFAULT_SECONDS = 1800.0


class Watching:
    """The handler of `watch`."""

    def __init__(self, cache: WatchCache, clock: rendering.Clock, random: Random) -> None:
        self._cache = cache
        self._clock = clock
        self._random = random

    async def __call__(self, call: Call) -> Response:
        """Raises Refused: 400 and 422 for bad options, 406 for a form that isn't served."""
        request, kind = call.request, call.routed
        read_options.check_watch(request)
        form = watch_rendering.wanted_of(kind, request)
        asked = resource_version(request)
        await fresh_enough(self._cache, asked)
        cache = self._cache.of(kind.resource)
        render = watch_rendering.render_for(kind, request, form, self._clock)
        watcher = Watcher(selection_of(call), render)
        stream = WatchStream(self._cache, cache, watcher, form, self._seconds(request))
        stream.bookmarks = request.flag("allowWatchBookmarks")
        self._begin(stream, cache, watcher, request, asked)
        cache.add_watcher(watcher)
        return _answer(request, stream, form)

    def _begin(
        self,
        stream: WatchStream,
        cache: ResourceCache,
        watcher: Watcher,
        request: Request,
        asked: int,
    ) -> None:
        """Put in what comes before the changes of from now on."""
        wants_initial = request.flag("sendInitialEvents")
        if wants_initial or not (asked or request.parameter("sendInitialEvents")):
            told_end = wants_initial and stream.bookmarks
            stream.begin_with(list(cache.select(watcher.selection)), told_end=told_end)
        elif asked:
            try:
                events = cache.events_after(asked)
            except TooOld:
                stream.end_with(status.too_old(asked, cache.floor))
                return
            for event in events:
                watcher.deliver(event)

    def _seconds(self, request: Request) -> float:
        """Unless the client says how long, watches end at different times."""
        given = integer(request, "timeoutSeconds")
        return given or SHORTEST_DEFAULT_SECONDS * (1 + self._random.random())


def _answer(request: Request, stream: WatchStream, form: Wanted) -> Response:
    if not request.wants_websocket:
        content_type = watch_rendering.content_type(form)
        return Response(headers={**JSON_HEADERS, "Content-Type": content_type}, body=stream)

    async def relay(socket: WebSocket) -> None:
        sending = asyncio.create_task(_send(stream, socket, form), name="watch by WebSocket")
        try:
            while await socket.receive() is not None:
                if sending.done():
                    break
        finally:
            await tasks.end(sending)
            await stream.aclose()

    return Response(websocket=relay)


async def _send(stream: WatchStream, socket: WebSocket, form: Wanted) -> None:
    """Each frame as a message of its own, and the socket closed after the last."""
    async for piece in stream:
        if form.encoding == "protobuf":
            for event in envelope.events_of(piece):
                await socket.send(event)
        else:
            for line in piece.splitlines():
                await socket.send_text(line)
    await socket.close()
