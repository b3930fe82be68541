"""Counts and durations of requests, for `/metrics`."""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, Handler
from sampan.foundation.wire.message import Response

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_LABELS = ("verb", "resource", "subresource", "code")


class Metering:
    """The stage, and the exposition of what it has counted."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "apiserver_request",
            "Requests by verb, resource and code.",
            _LABELS,
            registry=self._registry,
        )
        self._seconds = Histogram(
            "apiserver_request_duration_seconds",
            "Time to answer, by verb.",
            ("verb",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._objects = Gauge(
            "apiserver_storage_objects",
            "Objects by resource.",
            ("resource",),
            registry=self._registry,
        )
        self._watchers = Gauge(
            "apiserver_registered_watchers",
            "Open watches by resource.",
            ("resource",),
            registry=self._registry,
        )
        # Looking a labelled child up costs more than counting.
        self._counters: dict[tuple[str, str, str, int], Counter] = {}

    async def __call__(self, call: Call, following: Handler) -> Response:
        started = asyncio.get_running_loop().time()
        response = await following(call)
        attributes = call.attributes
        # Only kinds that exist become labels; anybody may ask for anything.
        resource = attributes.resource if call.kind is not None else ""
        verb = attributes.verb if call.kind is not None else "other"
        key = (verb, resource, attributes.subresource if resource else "", response.status)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(*key)
        counter.inc()
        if verb != "watch":
            self._seconds.labels(verb).observe(asyncio.get_running_loop().time() - started)
        return response

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        for cache in self._cache.resources:
            name = cache.kind.resource.plural
            self._objects.labels(name).set(len(cache))
            self._watchers.labels(name).set(len(cache.watchers))
        return generate_latest(self._registry)
