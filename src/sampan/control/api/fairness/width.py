"""How many seats a request takes: lists are the heavier the more objects they read (KEP-1040)."""

from collections.abc import Callable

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.kubernetes.kinds.registry import Kinds

OBJECTS_A_SEAT = 100
WIDEST = 10


def width_by_objects(kinds: Kinds, cache: WatchCache) -> Callable[[Call], int]:
    """A function that gives the seats of a call, from 1 to 10."""

    def width(call: Call) -> int:
        attributes = call.attributes
        if attributes.verb != "list" or attributes.name:
            return 1
        kind = kinds.find(attributes.group, attributes.version, attributes.resource)
        if kind is None or not kind.stored:
            return 1
        count = cache.of(kind.resource).count(attributes.namespace)
        limit = call.request.parameter("limit")
        if limit.isascii() and limit.isdecimal() and int(limit[:9]) > 0:
            count = min(count, int(limit[:9]))
        return max(1, min(WIDEST, -(-count // OBJECTS_A_SEAT)))

    return width
