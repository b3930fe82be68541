"""Keeps the condition `Available` of APIServices true, and what their servers say of themselves.

Theory: a change of an APIService, its Service or its EndpointSlices wakes its name, and so does
time, because servers die without a word, and a request that failed. Settling a name asks the
server and may be done any number of times; there are several workers, so that a silent server
doesn't delay all others.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from sampan.control.api.aggregation.api_services import ApiService, ApiServices
from sampan.control.api.aggregation.reachability import PASSED, Availability
from sampan.control.api.aggregation.server_check import ServerCheck
from sampan.control.api.cache.stored_object import CacheEvent, StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.control.api.writing.writer import Writer
from sampan.foundation import tasks
from sampan.kubernetes.client.queue import WorkQueue
from sampan.kubernetes.kinds.all import BY_RESOURCE
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.resource import API_SERVICES, ENDPOINT_SLICES, SERVICES
from sampan.kubernetes.machinery.conditions import with_condition
from sampan.kubernetes.machinery.timestamps import to_seconds
from sampan.store.contract import StoreError

AGAIN_SECONDS = 30.0
AGAIN_UNAVAILABLE_SECONDS = 5.0
DOUBT_SECONDS = 0.5
WORKERS = 4
_log = logging.getLogger("sampan.api.aggregation")


class AvailabilityKeeper:
    """`start` checks what is there and follows changes from then on."""

    def __init__(
        self,
        writer: Writer,
        cache: WatchCache,
        services: ApiServices,
        check: ServerCheck,
        clock: Callable[[], datetime],
    ) -> None:
        self._writer = writer
        self._services = services
        self._check = check
        self._clock = clock
        self._queue = WorkQueue[str]()
        self._workers: list[asyncio.Task[None]] = []
        services.on_change(self._queue.add)
        cache.on_event(self._note, SERVICES, ENDPOINT_SLICES)

    def start(self) -> None:
        for service in self._services:
            self._queue.add(service.name)
        self._workers = [
            asyncio.create_task(self._queue.work(self._try), name="availability of servers")
            for _ in range(WORKERS)
        ]

    async def close(self) -> None:
        self._queue.close()
        for worker in self._workers:
            await tasks.end(worker)

    def look_again(self, name: str) -> None:
        """A request to the server has failed: whether it is available is in doubt."""
        self._queue.add_after(name, DOUBT_SECONDS)

    def _note(self, kind: Kind, event: CacheEvent) -> None:
        if self._services.is_empty:
            return
        changed = event.new or event.old
        assert changed is not None
        key = changed.key
        if kind.resource == ENDPOINT_SLICES:
            namespace = key.partition("/")[0]
            key = f"{namespace}/{changed.labels.get('kubernetes.io/service-name', '')}"
        for service in self._services:
            reference = service.spec.service
            if reference is not None and reference.key == key:
                self._queue.add(service.name)

    async def _try(self, name: str) -> None:
        service = self._services.named(name)
        if service is None:
            return
        delay = AGAIN_UNAVAILABLE_SECONDS
        try:
            found = await self._check.availability(service)
            await self._tell(service, found)
            if found is PASSED:
                delay = AGAIN_SECONDS
                await self._check.read_openapi(service)
        except (Refused, StoreError) as error:
            _log.warning("the availability of %s: %s; it is tried again", name, error)
        except Exception:  # noqa: BLE001 - one server must not end the service of all
            _log.exception("the availability of %s can't be found out", name)
        if service.spec.service is not None:
            self._queue.add_after(name, delay)

    async def _tell(self, service: ApiService, found: Availability) -> None:
        """Write the condition, unless it is there already."""
        now = service.available
        if (now.status, now.reason, now.message) == (found.status, found.reason, found.message):
            return
        moment = to_seconds(self._clock())

        def change(current: StoredObject) -> Object:
            tree = current.decoded()
            status = tree.get("status") or {}
            conditions = with_condition(
                status.get("conditions"),
                "Available",
                found.status,
                moment,
                reason=found.reason,
                message=found.message,
            )
            return {**tree, "status": {**status, "conditions": conditions}}

        await self._writer.transform(BY_RESOURCE[API_SERVICES], f"/{service.name}", change)
