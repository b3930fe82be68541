"""Which of the servers on one datastore runs the controllers, and which the scheduler.

A server that has its store to itself runs both, at once. Servers that share one stand for
election for each, under the lease and the user that Kubernetes gives the component. What the
components do is not known here.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from uuid import uuid4

import msgspec

from sampan.foundation import tasks
from sampan.kubernetes.client.contract import Client
from sampan.kubernetes.client.leader_election import LeaderElection, LeaseTimes

NAMESPACE = "kube-system"
DURATION_VARIABLE = "SAMPAN_LEASE_SECONDS"
DEADLINE_VARIABLE = "SAMPAN_LEASE_RENEW_DEADLINE_SECONDS"
RETRY_VARIABLE = "SAMPAN_LEASE_RETRY_SECONDS"


class InvalidLeaseTimes(ValueError):
    """The times of leases are not told in a way that makes sense."""


class Office(msgspec.Struct, frozen=True):
    """What one server does at a time: its lease's name, the user who asks for it, and the work,
    a context that is entered when it begins and left when it ends."""

    lease: str
    user: str
    work: Callable[[], contextlib.AbstractAsyncContextManager[None]]


def lease_times(values: Mapping[str, str]) -> LeaseTimes:
    """What `SAMPAN_LEASE_SECONDS` and its companions among `values` say; see `LeaseTimes`.

    Raises InvalidLeaseTimes.
    """
    default = LeaseTimes()
    try:
        return LeaseTimes(
            duration_seconds=int(values.get(DURATION_VARIABLE) or default.duration_seconds),
            renew_deadline_seconds=float(
                values.get(DEADLINE_VARIABLE) or default.renew_deadline_seconds
            ),
            retry_seconds=float(values.get(RETRY_VARIABLE) or default.retry_seconds),
        )
    except ValueError as error:
        raise InvalidLeaseTimes(f"{DURATION_VARIABLE} and its companions: {error}") from error


@contextlib.asynccontextmanager
async def in_office(
    offices: Sequence[Office],
    client_for: Callable[[str], Client],
    clock: Callable[[], datetime],
    times: LeaseTimes | None,
) -> AsyncIterator[None]:
    """Fill every office while the context lasts; without `times` nobody else stands, and all of
    them are at work when it is entered. Raises then what beginning the work does."""
    async with contextlib.AsyncExitStack() as filled:
        for office in offices:
            if times is None:
                await filled.enter_async_context(office.work())
                continue
            election = LeaderElection(
                client_for(office.user),
                namespace=NAMESPACE,
                name=office.lease,
                identity=f"{socket.gethostname()}_{uuid4()}",
                clock=clock,
                times=times,
            )
            candidacy = asyncio.create_task(
                election.campaign(_for_ever(office)), name=f"candidacy for {office.lease}"
            )
            filled.push_async_callback(tasks.end, candidacy)
        yield


def _for_ever(office: Office) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        async with office.work():
            await asyncio.Event().wait()

    return work
