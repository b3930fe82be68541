"""What a list holds: objects of now or of an earlier revision, all of them or a page.

Reads come from the cache alone. A page's token holds the revision of the first page, so that
all pages together are one consistent list; when that has left the cache's window, the client is
told so (410), and given a token that goes on without that promise.
"""

from itertools import islice

import msgspec

from sampan.control.api.cache.resource_cache import TooOld
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.reading import continue_token, read_options
from sampan.control.api.reading.continue_token import ContinueToken, InvalidToken
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import (
    fresh_enough,
    integer,
    resource_version,
    selection_of,
)
from sampan.foundation.wire.message import Request
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery import status


class Page(msgspec.Struct, frozen=True):
    """Objects in the order of their keys, and the metadata of the list that they are."""

    objects: list[StoredObject]
    metadata: Object


class Pages:
    """Chooses what a list's options ask for."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    async def chosen(self, call: Call) -> Page:
        """Raises Refused: 400 and 422 for bad options, 410 for a revision that is too old."""
        request, kind = call.request, call.routed
        if request.query:
            read_options.check_list(request)
        selection = selection_of(call)
        limit = integer(request, "limit")
        token = _token(request)
        after = token.after if token else ""
        revision = await self._revision(call, token)
        cache = self._cache.of(kind.resource)
        try:
            found = cache.select_at(selection, revision, after=after)
            objects = list(islice(found, limit + 1) if limit else found)
        except TooOld as error:
            raise Refused(_too_old(token)) from error
        metadata: Object = {"resourceVersion": str(revision)}
        if limit and len(objects) > limit:
            objects.pop()
            last = objects[-1].key
            next_page = ContinueToken(token.revision if token else revision, last)
            metadata["continue"] = continue_token.written(next_page)
            if selection.is_everything:
                metadata["remainingItemCount"] = max(1, cache.count(selection.namespace, last))
        return Page(objects, metadata)

    async def _revision(self, call: Call, token: ContinueToken | None) -> int:
        """The revision that the list is of: now, unless an exact one is asked for."""
        now = self._cache.revision_of(call.routed.resource)
        if token is not None:
            return now if token.revision == continue_token.NOW else token.revision
        request = call.request
        asked = resource_version(request)
        if not asked:
            return now
        await fresh_enough(self._cache, asked)
        if request.parameter("resourceVersionMatch") == "Exact":
            return asked
        return self._cache.revision_of(call.routed.resource)


def _token(request: Request) -> ContinueToken | None:
    text = request.parameter("continue")
    if not text:
        return None
    if request.parameter("resourceVersion") not in ("", "0"):
        message = "specifying resource version is not allowed when using continue"
        raise Refused(status.bad_request(message))
    try:
        return continue_token.read(text)
    except InvalidToken as error:
        raise Refused(status.bad_request(f"invalid continue token: {error}")) from error


def _too_old(token: ContinueToken | None) -> Object:
    """A client whose token is too old gets one that goes on with what is there now."""
    if token is None:
        return status.expired("The resourceVersion for the provided list is too old.")
    refusal = status.expired(
        "The provided continue parameter is too old to display a consistent list result. "
        "You can start a new list without the continue parameter, or use the continue token in "
        "this response to retrieve the remainder of the results. Continuing with the provided "
        "token results in an inconsistent list - objects that were created, modified, or deleted "
        "between the time the first chunk was returned and now may show up in the list."
    )
    rest = ContinueToken(continue_token.NOW, token.after)
    refusal["metadata"] = {"continue": continue_token.written(rest)}
    return refusal
