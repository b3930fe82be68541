"""Puts in place what every cluster has, at every start.

What is missing is written, what has fallen behind is brought up to date, and what is right costs
a look into the cache. All goes at once, so that the store commits it in few groups.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from sampan.control.api.admission.write import Write
from sampan.control.api.bootstrap.api_services import standing_api_services
from sampan.control.api.bootstrap.flow_control import standing_flow_control
from sampan.control.api.bootstrap.roles import standing_roles
from sampan.control.api.bootstrap.services import (
    standing_authentication,
    standing_priority_classes,
    standing_service_range,
    standing_services,
)
from sampan.control.api.bootstrap.standing import Standing, named
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.control.api.settings import ApiSettings
from sampan.control.api.writing.writer import Change, Writer
from sampan.foundation.pki.subjects import ADMINISTRATORS
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.all import ALL, BY_RESOURCE
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import NAMESPACES
from sampan.kubernetes.machinery.standing_namespaces import STANDING
from sampan.kubernetes.machinery.timestamps import to_seconds

IDENTITY = Identity(name="system:apiserver", groups=(ADMINISTRATORS,))
_ALREADY_EXISTS = "AlreadyExists"


class Bootstrap:
    """Writes through the same stages as everyone, as the server itself.

    Hooks are not asked: one that can't be reached must not keep the server from starting.
    """

    def __init__(
        self,
        writer: Writer,
        cache: WatchCache,
        settings: ApiSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._writer = writer
        self._cache = cache
        self._settings = settings
        self._clock = clock

    async def run(self) -> None:
        """Idempotent. Raises Refused when the server's own objects are refused."""
        await self.ensure_namespaces()
        await self._ensure_all(
            [
                *standing_roles(),
                *standing_services(self._settings),
                *standing_authentication(self._settings),
                *standing_flow_control(),
                *standing_priority_classes(),
                *standing_api_services(ALL),
                standing_service_range(self._settings, to_seconds(self._clock())),
            ]
        )

    async def ensure_namespaces(self) -> None:
        """Make the namespaces that are missing. Raises Refused, StoreError."""
        await self._ensure_all(Standing(NAMESPACES, named(NAMESPACES, name)) for name in STANDING)

    async def _ensure_all(self, objects: Iterable[Standing]) -> None:
        lacking = [it for it in objects if not self._is_right(it)]
        if lacking:
            await asyncio.gather(*(self._ensure(standing) for standing in lacking))

    def _is_right(self, standing: Standing) -> bool:
        stored = self._cache.of(standing.resource).get(standing.key)
        if stored is None:
            return False
        return standing.renew is None or standing.renew(stored.decoded()) is None

    async def _ensure(self, standing: Standing) -> None:
        kind = BY_RESOURCE[standing.resource]
        if self._cache.of(standing.resource).get(standing.key) is not None:
            await self._writer.update(kind, standing.key, _renewal(standing))
            return
        namespace = standing.tree["metadata"].get("namespace", "")
        try:
            await self._writer.create(
                Write(kind, IDENTITY, namespace, new=standing.tree, reviewed=True)
            )
        except Refused as refusal:
            if refusal.status.get("reason") != _ALREADY_EXISTS:
                raise
            return
        if standing.status is not None:
            await self._writer.update(kind, standing.key, _with_status(standing, standing.status))


def _renewal(standing: Standing) -> Change:
    """An older version brought up to date; the same when it is right by now."""

    def change(stored: StoredObject) -> Write:
        renewed = standing.renew(stored.decoded()) if standing.renew is not None else None
        return _update(standing, stored, stored.decoded() if renewed is None else renewed)

    return change


def _with_status(standing: Standing, status: Object) -> Change:
    def change(stored: StoredObject) -> Write:
        return _update(standing, stored, {**stored.decoded(), "status": status}, "status")

    return change


def _update(standing: Standing, stored: StoredObject, new: Object, subresource: str = "") -> Write:
    return Write(
        BY_RESOURCE[standing.resource],
        IDENTITY,
        new["metadata"].get("namespace", ""),
        new=new,
        old=stored.decoded(),
        subresource=subresource,
        reviewed=True,
    )
