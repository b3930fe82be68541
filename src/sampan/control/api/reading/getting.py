"""GET of one object: a look-up in the cache, and its bytes."""

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, object_key
from sampan.control.api.forms import rendering
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import fresh_enough, resource_version
from sampan.foundation.wire.message import Response
from sampan.kubernetes.machinery import status


class Getting:
    """The handler of `get`."""

    def __init__(self, cache: WatchCache, clock: rendering.Clock) -> None:
        self._cache = cache
        self._clock = clock

    async def __call__(self, call: Call) -> Response:
        """Raises Refused (404)."""
        if call.request.query:
            await fresh_enough(self._cache, resource_version(call.request))
        kind = call.routed
        stored = self._cache.of(kind.resource).get(object_key(call))
        if stored is None:
            raise Refused(status.not_found(kind.resource, call.attributes.name))
        return rendering.one(kind, stored.data, call.request, self._clock)
