"""Lists, a page at a time or whole."""

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.forms import rendering
from sampan.control.api.reading import list_rendering
from sampan.control.api.reading.pages import Pages
from sampan.foundation.wire.message import Response


class Listing:
    """The handler of `list`."""

    def __init__(self, cache: WatchCache, clock: rendering.Clock) -> None:
        self._pages = Pages(cache)
        self._clock = clock

    async def __call__(self, call: Call) -> Response:
        """Raises Refused, as `Pages.chosen` does, and 406."""
        page = await self._pages.chosen(call)
        kind, request = call.routed, call.request
        return await list_rendering.many(kind, page.objects, page.metadata, request, self._clock)
