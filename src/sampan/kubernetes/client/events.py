"""Events about objects, recorded in the background and counted instead of repeated.

`record` never waits and never fails: when more events wait than the queue holds, the oldest
is dropped, since events inform and nothing depends on them.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

from sampan.foundation import tasks
from sampan.kubernetes.client.contract import AlreadyExists, ApiError, Client, NotFound, Object
from sampan.kubernetes.kinds.resource import EVENTS, Resource
from sampan.kubernetes.machinery.metadata import Metadata
from sampan.kubernetes.machinery.timestamps import to_seconds

QUEUE_LENGTH = 1000
REMEMBERED_EVENTS = 4096
LONGEST_MESSAGE = 1024
ATTEMPTS = 4
RETRY_SECONDS = 0.25

_log = logging.getLogger("sampan.events")


class ObjectReference(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The object that an event is about; `field_path` names a part, such as one container."""

    kind: str
    name: str
    api_version: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


def reference_to(resource: Resource, metadata: Metadata, field_path: str = "") -> ObjectReference:
    """The reference to an object that was read."""
    return ObjectReference(
        kind=resource.kind,
        name=metadata.name,
        api_version=resource.group_version,
        namespace=metadata.namespace,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        field_path=field_path,
    )


class _Occurrence(msgspec.Struct, frozen=True):
    reference: ObjectReference
    type: str
    reason: str
    message: str
    time: datetime

    @property
    def key(self) -> tuple[str, ...]:
        about = self.reference
        identity = (about.kind, about.namespace, about.name, about.uid, about.field_path)
        return (*identity, self.type, self.reason, self.message)


class EventRecorder:
    """Records events of one component; `clock` gives the wall time."""

    def __init__(
        self, client: Client, component: str, clock: Callable[[], datetime], host: str = ""
    ) -> None:
        self._client = client
        self._component = component
        self._clock = clock
        self._host = host
        self._queue: deque[_Occurrence] = deque(maxlen=QUEUE_LENGTH)
        self._arrived = asyncio.Event()
        self._known: OrderedDict[tuple[str, ...], tuple[str, int]] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def record(
        self,
        reference: ObjectReference,
        type: Literal["Normal", "Warning"],
        reason: str,
        message: str,
    ) -> None:
        """Note that something happened; it is written soon, in order."""
        self._queue.append(
            _Occurrence(reference, type, reason, message[:LONGEST_MESSAGE], self._clock())
        )
        self._arrived.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"events of {self._component}")

    async def close(self) -> None:
        """Stop; events that were not written yet are lost."""
        await tasks.end(self._task)
        self._task = None

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                await self._deliver(self._queue.popleft())

    async def _deliver(self, occurrence: _Occurrence) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._write(occurrence)
                return
            except NotFound:
                self._known.pop(occurrence.key, None)
            except (ApiError, ConnectionError) as error:
                _log.debug("an event was not written: %s", error)
                if isinstance(error, ApiError) and error.code < 500:
                    return
                await asyncio.sleep(RETRY_SECONDS * 2**attempt)

    async def _write(self, occurrence: _Occurrence) -> None:
        known = self._known.get(occurrence.key)
        namespace = occurrence.reference.namespace or "default"
        if known is None:
            name, count = await self._create(occurrence, namespace), 1
        else:
            name, count = known[0], known[1] + 1
            change = {"count": count, "lastTimestamp": to_seconds(occurrence.time)}
            await self._client.patch(EVENTS, name, change, namespace)
        self._known[occurrence.key] = (name, count)
        self._known.move_to_end(occurrence.key)
        if len(self._known) > REMEMBERED_EVENTS:
            self._known.popitem(last=False)

    async def _create(self, occurrence: _Occurrence, namespace: str) -> str:
        stamp = int(occurrence.time.timestamp() * 1_000_000) * 1000
        while True:
            name = f"{occurrence.reference.name[:236]}.{stamp:x}"
            try:
                await self._client.create(
                    EVENTS, self._body(occurrence, name, namespace), namespace
                )
            except AlreadyExists:
                stamp += 1
            else:
                return name

    def _body(self, occurrence: _Occurrence, name: str, namespace: str) -> Object:
        time = to_seconds(occurrence.time)
        return {
            "apiVersion": EVENTS.group_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": msgspec.to_builtins(occurrence.reference),
            "type": occurrence.type,
            "reason": occurrence.reason,
            "message": occurrence.message,
            "source": {"component": self._component} | ({"host": self._host} if self._host else {}),
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }
