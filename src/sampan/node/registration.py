"""The node makes itself known, and shows that it is alive: Node object, status, lease.

The lease is renewed at a fixed pace; the status is written when it changes, when another
has changed the node's conditions, and every few minutes (KEP-589).
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from sampan.kubernetes.client.contract import AlreadyExists, ApiError, Client, NotFound
from sampan.kubernetes.kinds.resource import LEASES, NODES
from sampan.kubernetes.machinery.standing_namespaces import NODE_LEASES
from sampan.kubernetes.machinery.timestamps import to_microseconds
from sampan.node import node_object
from sampan.node.cluster_view import Node
from sampan.node.node_object import Readiness
from sampan.node.settings import AgentSettings

RETRY_SECONDS = 0.2

_log = logging.getLogger("sampan.node.registration")


class Registration:
    """`clock` gives seconds since the epoch."""

    def __init__(self, client: Client, settings: AgentSettings, clock: Callable[[], float]) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._readiness = Readiness(False, "the network of pods is not ready yet")
        self._node: Node | None = None
        self._node_uid = ""
        self._changed = asyncio.Event()
        self._decided = asyncio.Event()

    def set_readiness(self, readiness: Readiness) -> None:
        self._decided.set()
        if readiness != self._readiness:
            self._readiness = readiness
            self._changed.set()

    def node_changed(self, node: Node | None) -> None:
        """What the API has of this node now: conditions that others set are set right."""
        self._node = node
        if node is None:
            self._decided.set()
            self._changed.set()
            return
        self._node_uid = node.metadata.uid
        ready = next((item.status for item in node.status.conditions if item.type == "Ready"), "")
        if (ready == "True") != self._readiness.ready:
            self._changed.set()

    async def register(self) -> None:
        """Create the Node, or make its labels right; tries until the API answers."""
        while True:
            try:
                await self._create()
                return
            except (ApiError, ConnectionError) as error:
                _log.info("node not registered yet: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _create(self) -> None:
        try:
            await self._client.create(NODES, node_object.new_node(self._settings))
        except AlreadyExists:
            labels = {"metadata": {"labels": node_object.labels(self._settings)}}
            await self._client.patch(NODES, self._settings.node_name, labels)

    async def keep_status(self) -> None:
        """Write the status whenever it is due; never returns.

        An agent that takes over a ready node first gets a moment to become ready itself: its
        restart is no reason to call the node unready.
        """
        try:
            async with asyncio.timeout(self._settings.takeover_seconds):
                await self._decided.wait()
        except TimeoutError:
            _log.warning("not ready %s s after the start", self._settings.takeover_seconds)
        while True:
            self._changed.clear()
            try:
                await self._write_status()
            except NotFound:
                await self.register()
                continue
            except (ApiError, ConnectionError) as error:
                _log.info("status of the node not written: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                async with asyncio.timeout(self._settings.status_seconds):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _write_status(self) -> None:
        held = self._node.status.conditions if self._node else ()
        status = node_object.node_status(self._settings, self._readiness, held, self._clock())
        await self._client.patch(
            NODES, self._settings.node_name, {"status": status}, subresource="status"
        )

    async def keep_lease(self) -> None:
        """Renew the lease at its pace, however long one renewal takes; never returns."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            try:
                async with asyncio.timeout(self._settings.lease_duration_seconds):
                    await self._renew()
            except (ApiError, ConnectionError, TimeoutError) as error:
                _log.info("lease not renewed: %s", error)
            due = max(due + self._settings.lease_renewal_seconds, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _renew(self) -> None:
        renewed = to_microseconds(datetime.fromtimestamp(self._clock(), UTC))
        change = {"spec": {"renewTime": renewed, "holderIdentity": self._settings.node_name}}
        try:
            await self._client.patch(LEASES, self._settings.node_name, change, NODE_LEASES)
        except NotFound:
            await self._create_lease(renewed)

    async def _create_lease(self, renewed: str) -> None:
        owner = {
            "apiVersion": "v1",
            "kind": "Node",
            "name": self._settings.node_name,
            "uid": self._node_uid,
        }
        body = {
            "apiVersion": LEASES.group_version,
            "kind": LEASES.kind,
            "metadata": {
                "name": self._settings.node_name,
                "namespace": NODE_LEASES,
                "ownerReferences": [owner] if self._node_uid else [],
            },
            "spec": {
                "holderIdentity": self._settings.node_name,
                "leaseDurationSeconds": self._settings.lease_duration_seconds,
                "renewTime": renewed,
            },
        }
        await self._client.create(LEASES, body, NODE_LEASES)
