"""Keeps the condition `Available` of APIServices true, and what their servers say of themselves.

Theory: a change of an APIService, its Service or its EndpointSlices wakes its name, and so does
time, because servers die without a word. Settling a name asks the server and may be done any
number of times; each name has a task of its own, so that a silent server delays nobody.
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
from sampan.control.api.writer import Writer
from sampan.kubernetes.kinds.all import BY_RESOURCE
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.resource import API_SERVICES, ENDPOINT_SLICES, SERVICES
from sampan.kubernetes.machinery.conditions import with_condition
from sampan.kubernetes.machinery.timestamps import to_seconds
from sampan.store.contract import StoreError

AGAIN_SECONDS = 30.0
AGAIN_UNAVAILABLE_SECONDS = 5.0
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
        self._settling: dict[str, asyncio.Task[None]] = {}
        self._due: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._running = False
        services.on_change(self._wake)
        cache.on_event(self._note)

    def start(self) -> None:
        self._running = True
        for service in self._services:
            self._wake(service.name)

    async def close(self) -> None:
        self._running = False
        for timer in self._timers.values():
            timer.cancel()
        settling = tuple(self._settling.values())
        for task in settling:
            task.cancel()
        await asyncio.gather(*settling, return_exceptions=True)

    def _note(self, kind: Kind, event: CacheEvent) -> None:
        if kind.resource not in (SERVICES, ENDPOINT_SLICES) or self._services.is_empty:
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
                self._wake(service.name)

    def _wake(self, name: str) -> None:
        if not self._running:
            return
        if name in self._settling:
            self._due.add(name)
            return
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        task = asyncio.create_task(self._settle(name), name=f"availability of {name}")
        self._settling[name] = task
        task.add_done_callback(lambda _: self._settled(name))

    def _settled(self, name: str) -> None:
        del self._settling[name]
        if name in self._due:
            self._due.discard(name)
            self._wake(name)

    async def _settle(self, name: str) -> None:
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
        if service.spec.service is not None and self._running:
            timer = asyncio.get_running_loop().call_later(delay, self._wake, name)
            self._timers[name] = timer

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
