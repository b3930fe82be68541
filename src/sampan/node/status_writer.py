"""Brings a pod's status to the API: the newest only, at once, and again until it is there.

Writing never holds the worker up. What others change in a status that this node owns (the node
lifecycle controller marks pods of a silent node) is seen and set right.
"""

import asyncio
import contextlib
import logging
from typing import Any

import msgspec

from sampan.kubernetes.client.contract import ApiError, Client, Conflict, NotFound
from sampan.kubernetes.kinds.resource import PODS
from sampan.kubernetes.machinery.metadata import Metadata
from sampan.node.pod_view import Pod, PodStatus

Object = dict[str, Any]
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
CORRECTION_PAUSE = 1.0
PATIENCE = 0.05

_log = logging.getLogger("sampan.node.status")


class _Answer(msgspec.Struct):
    metadata: Metadata


_decode = msgspec.json.Decoder(_Answer).decode


class StatusWriter:
    def __init__(self, client: Client, pod: Metadata) -> None:
        self._client = client
        self._pod = pod
        self._wanted: Object | None = None
        self._written: Object | None = None
        self._version = 0
        self._seen: Pod | None = None
        self._corrected = float("-inf")
        self._closed = False
        self._urgent = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def offer(self, status: Object, *, urgent: bool = True) -> None:
        """Have this status written, unless it is the one that is there.

        One that isn't urgent waits a moment for its successor: most pods run before it is over.
        """
        if status == self._wanted:
            return
        self._wanted = status
        if urgent:
            self._urgent.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write())
            self._task.add_done_callback(self._after_writing)

    def _after_writing(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._set_right()

    def seen(self, pod: Pod) -> None:
        """What the API now holds; if it isn't what was written last, write again."""
        self._seen = pod
        if self._task is None or self._task.done():
            self._set_right()

    def _set_right(self) -> None:
        """Not while a write is under way: what is seen then may be that write itself."""
        pod = self._seen
        if pod is None or self._written is None or self._closed:
            return
        is_newer = _number(pod.metadata.resource_version) > self._version
        if not is_newer or pod.status == _as_view(self._written):
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._corrected + CORRECTION_PAUSE:
            loop.call_at(self._corrected + CORRECTION_PAUSE, self._set_right)
            return
        self._corrected = loop.time()
        wanted, self._wanted, self._written = self._wanted, None, None
        if wanted is not None:
            self.offer(wanted)

    async def flush(self) -> None:
        """Wait until the last offer is written or refused for good."""
        self._urgent.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """Write no more."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _write(self) -> None:
        pause = FIRST_PAUSE
        while self._wanted is not None and self._wanted is not self._written:
            try:
                await self._moment()
                await self._patch(self._wanted)
            except (NotFound, Conflict):
                return
            except (ApiError, ConnectionError) as error:
                _log.warning("status of pod %s not written: %s", self._pod.name, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                pause = FIRST_PAUSE

    async def _moment(self) -> None:
        """Wait a little, unless what is offered is urgent."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._urgent.wait()
        self._urgent.clear()

    async def _patch(self, status: Object) -> None:
        body = {"metadata": {"uid": self._pod.uid}, "status": status}
        raw = await self._client.patch(
            PODS, self._pod.name, body, self._pod.namespace, subresource="status"
        )
        self._written = status
        self._version = _number(_decode(raw).metadata.resource_version)


def _number(resource_version: str) -> int:
    """Resource versions can be compared as numbers (KEP-5504)."""
    return int(resource_version) if resource_version.isdigit() else 0


def _as_view(status: Object) -> PodStatus:
    present = {key: value for key, value in status.items() if value is not None}
    return msgspec.json.decode(msgspec.json.encode(present), type=PodStatus)
