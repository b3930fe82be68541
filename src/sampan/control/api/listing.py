"""Lists: of now or of an earlier revision, whole or a page at a time.

Reads come from the cache alone. A page's token holds the revision of the first page, so that
all pages together are one consistent list; when that has left the cache's window, the client
starts again (410).
"""

import base64
import binascii
from itertools import islice

import msgspec

from sampan.control.api import rendering
from sampan.control.api.cache.resource_cache import ResourceCache, TooOld
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import (
    fresh_enough,
    integer,
    resource_version,
    selection_of,
)
from sampan.foundation.wire.message import Request, Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery import status


class _Continue(msgspec.Struct):
    """Where the next page begins."""

    revision: int
    after: str


class Listing:
    """The handler of `list`."""

    def __init__(self, cache: WatchCache, clock: rendering.Clock) -> None:
        self._cache = cache
        self._clock = clock

    async def __call__(self, call: Call) -> Response:
        request, kind = call.request, call.routed
        selection = selection_of(call)
        limit = integer(request, "limit")
        token = _token(request)
        revision = token.revision if token else await self._revision(call)
        cache = self._cache.of(kind.resource)
        try:
            found = cache.select_at(selection, revision, after=token.after if token else "")
            objects = list(islice(found, limit + 1) if limit else found)
        except TooOld as error:
            raise Refused(_too_old(revision, cache, paged=token is not None)) from error
        metadata: Object = {"resourceVersion": str(revision)}
        if limit and len(objects) > limit:
            objects.pop()
            last = objects[-1].key
            metadata["continue"] = _encoded(_Continue(revision, last))
            if selection.is_everything:
                metadata["remainingItemCount"] = max(1, cache.count(selection.namespace, last))
        return await rendering.many(kind, objects, metadata, request, self._clock)

    async def _revision(self, call: Call) -> int:
        """The revision that the list is of: now, unless an exact one is asked for."""
        request = call.request
        asked = resource_version(request)
        match = request.parameter("resourceVersionMatch")
        if match and match not in ("Exact", "NotOlderThan"):
            raise Refused(status.bad_request(f"unsupported resourceVersionMatch value: {match!r}"))
        if match and not asked and request.parameter("resourceVersion") == "":
            message = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            raise Refused(status.bad_request(message))
        await fresh_enough(self._cache, asked)
        now = self._cache.revision_of(call.routed.resource)
        return asked if match == "Exact" and asked else now


def _too_old(revision: int, cache: ResourceCache, *, paged: bool) -> Object:
    if paged:
        return status.expired(
            "The provided continue parameter is too old to display a consistent list result. "
            "You must start a new list without the continue parameter."
        )
    return status.too_old(revision, cache.floor)


def _encoded(token: _Continue) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode()


def _token(request: Request) -> _Continue | None:
    text = request.parameter("continue")
    if not text:
        return None
    if request.parameter("resourceVersion") not in ("", "0"):
        message = "specifying resource version is not allowed when using continue"
        raise Refused(status.bad_request(message))
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=_Continue)
    except (binascii.Error, ValueError) as error:
        raise Refused(status.bad_request("continue key is not valid")) from error
