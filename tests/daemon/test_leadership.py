"""Two servers on one datastore: one runs controllers and scheduler, and the other takes over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from random import Random

import msgspec
import pytest
from tests.store.conftest import etcd, open_etcd  # noqa: F401 - fixtures

from sampan.control.api.server import ApiServer, component_identity
from sampan.control.api.settings import settings_of
from sampan.control.controllers.settings import ControllerSettings
from sampan.daemon.leadership import InvalidLeaseTimes, Office, in_office, lease_times
from sampan.daemon.offices import offices
from sampan.foundation.pki.authority import Authority, generate_key
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.message import Identity, Request, Response, Transport
from sampan.kubernetes.client.api_client import ApiClient
from sampan.kubernetes.client.contract import Client, NotFound
from sampan.kubernetes.client.leader_election import LeaseTimes
from sampan.kubernetes.kinds.resource import DEPLOYMENTS, LEASES, PODS
from sampan.store.contract import Store
from sampan.store.memory import MemoryStore
from sampan.testing import objects

TIMES = LeaseTimes(duration_seconds=2, renew_deadline_seconds=1.2, retry_seconds=0.2)
# Shorter than any lease, longer than a machine that does other things takes.
WITHIN_SECONDS = 15.0
COMPONENTS = ("kube-controller-manager", "kube-scheduler")
KEY = generate_key()


class OneServer:
    """A server with its offices. What `is_cut` gets no answers, as when its process is stopped."""

    def __init__(self, store: Store, times: LeaseTimes | None) -> None:
        self._settings = settings_of(Instance())
        self._signer = TokenSigner(KEY, self._settings.issuer)
        self._times = times
        self.is_cut = False
        self.at_work: set[str] = set()
        self._api = ApiServer.create(
            store, settings=self._settings, signer=self._signer, clock=_now, random=Random(1)
        )
        self._running = contextlib.AsyncExitStack()

    async def start(self) -> None:
        await self._api.start()
        self._running.push_async_callback(self._api.close)
        administrator = Identity(name="root", groups=("system:masters",))
        self.admin: Client = ApiClient(self._api.transport(administrator))
        settings = ControllerSettings(
            pod_range=Instance().pod_range,
            authority=Authority.create("the authority", _now()),
            sign_token=self._signer.sign,
        )
        filled = [self._noted(it) for it in offices(self._client, settings, _now, Random(1))]
        await self._running.enter_async_context(in_office(filled, self._client, _now, self._times))

    async def close(self) -> None:
        await self._running.aclose()

    def _client(self, user: str) -> Client:
        return ApiClient(_Line(self, self._api.transport(component_identity(user))))

    def _noted(self, office: Office) -> Office:
        @contextlib.asynccontextmanager
        async def work() -> AsyncIterator[None]:
            async with office.work():
                self.at_work.add(office.lease)
                try:
                    yield
                finally:
                    self.at_work.discard(office.lease)

        return msgspec.structs.replace(office, work=work)


class _Line:
    def __init__(self, server: OneServer, inner: Transport) -> None:
        self._server = server
        self._inner = inner

    async def send(self, request: Request) -> Response:
        if self._server.is_cut:
            raise ConnectionError("cut")
        return await self._inner.send(request)

    async def close(self) -> None:
        await self._inner.close()


def _now() -> datetime:
    return datetime.now(UTC)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WITHIN_SECONDS):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


async def until_at_work(server: OneServer) -> None:
    async def is_at_work() -> bool:
        return server.at_work == set(COMPONENTS)

    await until(is_at_work)


async def until_it_has_pods(server: OneServer, name: str) -> None:
    """Until somebody has made the pods of a deployment."""
    await server.admin.create(DEPLOYMENTS, objects.deployment(name=name), "default")

    async def has_pods() -> bool:
        listed = await server.admin.list(PODS, "default")
        pods = [msgspec.json.decode(it)["metadata"]["name"] for it in listed.items]
        return any(pod.startswith(f"{name}-") for pod in pods)

    await until(has_pods)


async def holder(server: OneServer) -> str:
    raw = await server.admin.get(LEASES, COMPONENTS[0], "kube-system")
    return str(msgspec.json.decode(raw)["spec"]["holderIdentity"])


Story = Callable[[OneServer, OneServer], Awaitable[None]]


@pytest.fixture(params=["memory", "etcd"])
def play(request: pytest.FixtureRequest) -> Callable[[Story], None]:
    """Tells a story of two servers on one store, the first of which leads."""

    @contextlib.asynccontextmanager
    async def stores() -> AsyncIterator[tuple[Store, Store]]:
        if request.param == "memory":
            store = MemoryStore()
            yield store, store
            return
        opened = request.getfixturevalue("open_etcd")
        root = f"/leaders-{request.node.name}".encode()
        async with opened(root) as one, opened(root) as other:
            yield one, other

    async def told(story: Story) -> None:
        async with stores() as (one, other), asyncio.timeout(60):
            first, second = OneServer(one, TIMES), OneServer(other, TIMES)
            await first.start()
            await until_at_work(first)
            await second.start()
            try:
                await story(first, second)
            finally:
                await second.close()
                await first.close()

    if request.param == "etcd":
        request.getfixturevalue("open_etcd")
    return lambda story: asyncio.run(told(story))


def test_one_of_two_servers_works_for_both(play: Callable[[Story], None]) -> None:
    async def story(first: OneServer, second: OneServer) -> None:
        await until_it_has_pods(second, "web")
        await asyncio.sleep(TIMES.duration_seconds * 2)
        assert first.at_work == set(COMPONENTS)
        assert not second.at_work
        assert await holder(first) == await holder(second) != ""

    play(story)


def test_the_other_takes_over_from_one_that_falls_silent(play: Callable[[Story], None]) -> None:
    async def story(first: OneServer, second: OneServer) -> None:
        before = await holder(second)
        first.is_cut = True
        await until_at_work(second)
        assert not first.at_work
        assert await holder(second) != before
        await until_it_has_pods(second, "web")

    play(story)


def test_the_other_takes_over_from_one_that_ends(play: Callable[[Story], None]) -> None:
    async def story(first: OneServer, second: OneServer) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await first.close()
        await until_at_work(second)
        assert loop.time() - began < TIMES.duration_seconds
        await until_it_has_pods(second, "web")

    play(story)


def test_a_server_of_its_own_works_from_the_start_and_asks_for_no_lease() -> None:
    async def main() -> None:
        server = OneServer(MemoryStore(), None)
        await server.start()
        assert server.at_work == set(COMPONENTS)
        for name in COMPONENTS:
            with pytest.raises(NotFound):
                await server.admin.get(LEASES, name, "kube-system")
        await server.close()
        assert not server.at_work

    asyncio.run(main())


def test_the_environment_tells_the_times() -> None:
    assert lease_times({}) == LeaseTimes()
    told = {
        "SAMPAN_LEASE_SECONDS": "30",
        "SAMPAN_LEASE_RENEW_DEADLINE_SECONDS": "20",
        "SAMPAN_LEASE_RETRY_SECONDS": "",
    }
    expected = LeaseTimes(duration_seconds=30, renew_deadline_seconds=20, retry_seconds=2)
    assert lease_times(told) == expected
    for text in ("soon", "5", "nan"):
        with pytest.raises(InvalidLeaseTimes, match="SAMPAN_LEASE_SECONDS"):
            lease_times({"SAMPAN_LEASE_SECONDS": text})
