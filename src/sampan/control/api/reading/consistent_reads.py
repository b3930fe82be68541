"""Reads that are to see every write that was acknowledged before them, also by other servers.

With a store that only this server writes to, the cache is never behind. In a cluster that
several share, a quorum tells the newest revision, once for all who ask meanwhile, and the read
waits until the cache has it. A read that names a version takes what the cache has.
Changes wait, too: an object that another server has just made must be found.
"""

from sampan.control.api.attributes import Attributes
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, Handler
from sampan.foundation.wire.message import Request, Response
from sampan.store.contract import Store

_READS = ("get", "list", "watch")
_CHANGES = ("update", "patch", "delete", "deletecollection")


class ConsistentReads:
    """The stage, for servers whose store is shared."""

    def __init__(self, store: Store, cache: WatchCache) -> None:
        self._store = store
        self._cache = cache

    async def __call__(self, call: Call, following: Handler) -> Response:
        """Raises Unavailable without a quorum."""
        if must_be_current(call.request, call.attributes):
            await self._cache.reached(await self._store.revision())
        return await following(call)


def must_be_current(request: Request, attributes: Attributes) -> bool:
    """Whether a request is answered from the newest state, and not from any that is known."""
    if not attributes.is_resource:
        return False
    if attributes.verb in _READS:
        return not request.parameter("resourceVersion") and not request.parameter("continue")
    return attributes.verb in _CHANGES
