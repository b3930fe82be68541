"""One of several candidates leads at a time, by holding a Lease.

A candidate trusts no other machine's clock: it measures how long it has seen a lease
unchanged on its own (the running loop's), as the Kubernetes components do.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from sampan.foundation import tasks
from sampan.kubernetes.client.contract import (
    AlreadyExists,
    ApiError,
    Client,
    Conflict,
    NotFound,
    Object,
)
from sampan.kubernetes.kinds.resource import LEASES
from sampan.kubernetes.machinery.metadata import Metadata
from sampan.kubernetes.machinery.timestamps import to_microseconds


class _LeaseSpec(msgspec.Struct, frozen=True, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    lease_transitions: int | None = None


class _Lease(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: _LeaseSpec = _LeaseSpec()


_decode = msgspec.json.Decoder(_Lease).decode


class LeaderElection:
    """A candidate named `identity` for the lease `namespace/name`; `clock` is the wall clock."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], datetime],
        duration_seconds: int = 15,
        renew_seconds: float = 2.0,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._duration = duration_seconds
        self._renew = renew_seconds
        self._seen_version = ""
        self._seen_at = 0.0

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then run `work` while it is held; returns when either ends."""
        while True:
            if await self._attempt():
                break
            await asyncio.sleep(self._renew)
        task = asyncio.ensure_future(work())
        try:
            await self._hold(task)
        finally:
            await tasks.end(task)

    async def _hold(self, work: "asyncio.Future[None]") -> None:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while not work.done():
            await asyncio.wait([work], timeout=self._renew)
            if await self._attempt():
                renewed = loop.time()
            elif loop.time() - renewed > self._duration * 2 / 3:
                return

    async def _attempt(self) -> bool:
        """Take or renew the lease; False when another has it or nobody answers."""
        try:
            lease = _decode(await self._client.get(LEASES, self._name, self._namespace))
        except NotFound:
            return await self._write(None)
        except (ApiError, ConnectionError):
            return False
        now = asyncio.get_running_loop().time()
        if lease.metadata.resource_version != self._seen_version:
            self._seen_version, self._seen_at = lease.metadata.resource_version, now
        ours = lease.spec.holder_identity == self._identity
        duration = lease.spec.lease_duration_seconds or self._duration
        if not ours and lease.spec.holder_identity and now < self._seen_at + duration:
            return False
        return await self._write(lease)

    async def _write(self, lease: _Lease | None) -> bool:
        body = self._body(lease)
        try:
            if lease is None:
                await self._client.create(LEASES, body, self._namespace)
            else:
                await self._client.update(LEASES, body, self._namespace)
        except (AlreadyExists, Conflict, ApiError, ConnectionError):
            return False
        return True

    def _body(self, lease: _Lease | None) -> Object:
        now = to_microseconds(self._clock())
        spec = lease.spec if lease is not None else _LeaseSpec()
        ours = spec.holder_identity == self._identity
        transitions = spec.lease_transitions or 0
        metadata: Object = {"name": self._name, "namespace": self._namespace}
        if lease is not None:
            metadata["resourceVersion"] = lease.metadata.resource_version
        return {
            "apiVersion": LEASES.group_version,
            "kind": LEASES.kind,
            "metadata": metadata,
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": self._duration,
                "acquireTime": spec.acquire_time if ours and spec.acquire_time else now,
                "renewTime": now,
                "leaseTransitions": transitions if ours or lease is None else transitions + 1,
            },
        }
