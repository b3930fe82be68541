"""Counts and durations of requests, and their exposition at `/metrics`.

Counting happens with every request and is a few additions; the text in Prometheus' exposition
format (version 0.0.4) is made when somebody asks.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Iterator

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, Handler
from sampan.foundation.wire.message import Response

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_DURATION = "apiserver_request_duration_seconds"

_Key = tuple[str, str, str, int]


class Metering:
    """The stage, and the exposition of what it has counted."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._requests: dict[_Key, int] = {}
        self._durations: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    async def __call__(self, call: Call, following: Handler) -> Response:
        loop = asyncio.get_running_loop()
        started = loop.time()
        response = await following(call)
        attributes = call.attributes
        # Only kinds that exist become labels; anybody may ask for anything.
        known = call.kind is not None
        verb = attributes.verb if known else "other"
        resource, subresource = (attributes.resource, attributes.subresource) if known else ("", "")
        key = (verb, resource, subresource, response.status)
        self._requests[key] = self._requests.get(key, 0) + 1
        if verb != "watch":
            self._observe(verb, loop.time() - started)
        return response

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        lines = [*self._request_lines(), *self._duration_lines(), *self._cache_lines()]
        return ("\n".join(lines) + "\n").encode()

    def _observe(self, verb: str, seconds: float) -> None:
        counts = self._durations.setdefault(verb, [0] * (len(BUCKETS) + 1))
        counts[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[verb] = self._seconds.get(verb, 0.0) + seconds

    def _request_lines(self) -> Iterator[str]:
        yield "# HELP apiserver_request_total Requests by verb, resource and code."
        yield "# TYPE apiserver_request_total counter"
        for (verb, resource, subresource, code), count in sorted(self._requests.items()):
            yield (
                f'apiserver_request_total{{code="{code}",resource="{resource}",'
                f'subresource="{subresource}",verb="{verb}"}} {count}'
            )

    def _duration_lines(self) -> Iterator[str]:
        yield f"# HELP {_DURATION} Time to answer, by verb."
        yield f"# TYPE {_DURATION} histogram"
        for verb, counts in sorted(self._durations.items()):
            total = 0
            for bound, count in zip((*BUCKETS, "+Inf"), counts, strict=True):
                total += count
                yield f'{_DURATION}_bucket{{le="{bound}",verb="{verb}"}} {total}'
            yield f'{_DURATION}_sum{{verb="{verb}"}} {self._seconds[verb]:.6f}'
            yield f'{_DURATION}_count{{verb="{verb}"}} {total}'

    def _cache_lines(self) -> Iterator[str]:
        for name, about, measure in (
            ("apiserver_storage_objects", "Objects by resource.", len),
            (
                "apiserver_registered_watchers",
                "Open watches by resource.",
                lambda cache: len(cache.watchers),
            ),
        ):
            yield f"# HELP {name} {about}"
            yield f"# TYPE {name} gauge"
            for cache in self._cache.resources:
                yield f'{name}{{resource="{cache.kind.resource.plural}"}} {measure(cache)}'
