"""One of several candidates leads at a time, by holding a Lease.

Theory: a candidate trusts no other machine's clock. It measures on its own (the running loop's)
how long it has seen a lease unchanged, and takes it when that is longer than its holder promised;
every write names the version it replaces, so that of several who take it one does. The leader
counts from when it began to ask for its last renewal, which is before anybody could see it, and
stops its work well before the others' time is over: while clocks run equally fast, two never
work at once. The rules, and the names of the times, are those of client-go's `leaderelection`.
"""

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from sampan.foundation import tasks
from sampan.kubernetes.client.contract import ApiError, Client, NotFound, Object
from sampan.kubernetes.kinds.resource import LEASES
from sampan.kubernetes.machinery.timestamps import to_microseconds

RELEASED_SECONDS = 1

_log = logging.getLogger("sampan.leader_election")


class LeaseTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long a lease holds, how long its holder works on without renewing it, and how often
    the holder renews it and others look at it. Raises ValueError unless each is longer than
    the next.

    Of the holder's death the others know `duration_seconds` later, `retry_seconds` at most
    being added by one that has just looked.
    """

    duration_seconds: int = 10
    renew_deadline_seconds: float = 7.0
    retry_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not self.duration_seconds > self.renew_deadline_seconds > self.retry_seconds > 0:
            raise ValueError(
                "a lease's duration must be longer than its renewal's deadline, "
                "that longer than the time between tries, and that more than 0"
            )


class Standing(enum.Enum):
    """What one attempt at the lease has shown."""

    HELD = enum.auto()
    TAKEN = enum.auto()
    UNKNOWN = enum.auto()


class LeaderElection:
    """A candidate for the lease `namespace/name`; `clock` is the wall clock.

    `identity` must be of this candidate alone, of no earlier run of it either.
    """

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], datetime],
        times: LeaseTimes,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._times = times
        self._seen_version = ""
        self._free_at = 0.0

    async def campaign(self, work: Callable[[], Awaitable[None]]) -> None:
        """Lead again and again, until cancelled. Work that fails gives the lease up, so that
        another candidate may do better."""
        while True:
            try:
                await self.lead(work)
            except Exception:  # noqa: BLE001 - a fault in the work must not end the candidacy
                _log.exception("%s: the leader's work failed", self._name)
            await asyncio.sleep(self._times.retry_seconds)

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, run `work` while it is held, and give it up; returns when the work
        has ended or the lease is lost. Raises what the work does."""
        renewed = await self._win()
        _log.info("%s: this server leads", self._name, extra={"identity": self._identity})
        task = asyncio.ensure_future(work())
        try:
            await self._hold(task, renewed)
        finally:
            try:
                await tasks.end(task)
            finally:
                _log.info("%s: this server leads no more", self._name)
                await self._release()

    async def _win(self) -> float:
        """Wait for the lease; the time from which it holds."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            if await self._attempt(began) is Standing.HELD:
                return began
            left = self._free_at - loop.time()
            retry = self._times.retry_seconds
            await asyncio.sleep(left if 0 < left < retry else retry)

    async def _hold(self, work: "asyncio.Future[None]", renewed: float) -> None:
        """Renew the lease until the work ends, another has it, or renewals fail for too long."""
        loop = asyncio.get_running_loop()
        began = renewed
        while True:
            give_up = renewed + self._times.renew_deadline_seconds
            due = min(began + self._times.retry_seconds, give_up)
            finished, _ = await asyncio.wait([work], timeout=max(0.0, due - loop.time()))
            if finished or loop.time() >= give_up:
                return
            began = loop.time()
            standing = await self._attempt(renewed)
            if standing is Standing.TAKEN:
                return
            if standing is Standing.HELD:
                renewed = began

    async def _attempt(self, since: float) -> Standing:
        """Take or renew the lease, within the deadline of a renewal at `since`; half of that
        is the most for one attempt, since another may pass where one hangs."""
        deadline = self._times.renew_deadline_seconds
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(since + deadline, now + deadline / 2)):
                return await self._take_or_renew()
        except (ApiError, ConnectionError, TimeoutError) as error:
            _log.debug("%s: %s; trying again", self._name, error)
            return Standing.UNKNOWN

    async def _take_or_renew(self) -> Standing:
        lease = await self._read()
        if lease is None:
            await self._client.create(LEASES, self._first(), self._namespace)
            return Standing.HELD
        version = lease["metadata"]["resourceVersion"]
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        now = asyncio.get_running_loop().time()
        if version != self._seen_version:
            duration = spec.get("leaseDurationSeconds") or self._times.duration_seconds
            self._seen_version, self._free_at = version, now + duration
        if holder not in ("", self._identity) and now < self._free_at:
            return Standing.TAKEN
        await self._client.update(LEASES, self._renewed(lease), self._namespace)
        return Standing.HELD

    async def _read(self) -> Object | None:
        try:
            raw = await self._client.get(LEASES, self._name, self._namespace)
        except NotFound:
            return None
        lease: Object = msgspec.json.decode(raw)
        return lease

    async def _release(self) -> None:
        """Let the next one in at once, if the lease is still ours; it runs out by itself where
        that can't be said in time."""
        try:
            async with asyncio.timeout(self._times.retry_seconds):
                lease = await self._read()
                if lease is None or lease["spec"].get("holderIdentity") != self._identity:
                    return
                await self._client.update(LEASES, self._given_up(lease), self._namespace)
        except (ApiError, ConnectionError, TimeoutError) as error:
            _log.debug("%s: not released: %s", self._name, error)

    def _first(self) -> Object:
        return {
            "apiVersion": LEASES.group_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._terms() | {"leaseTransitions": 0},
        }

    def _renewed(self, lease: Object) -> Object:
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") == self._identity:
            return {**lease, "spec": {**spec, **self._terms(spec.get("acquireTime"))}}
        transitions = {"leaseTransitions": (spec.get("leaseTransitions") or 0) + 1}
        return {**lease, "spec": {**spec, **self._terms(), **transitions}}

    def _given_up(self, lease: Object) -> Object:
        given_up = {"holderIdentity": "", "leaseDurationSeconds": RELEASED_SECONDS}
        return {**lease, "spec": {**lease["spec"], **self._terms(), **given_up}}

    def _terms(self, acquired: str | None = None) -> Object:
        now = to_microseconds(self._clock())
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._times.duration_seconds,
            "acquireTime": acquired or now,
            "renewTime": now,
        }
