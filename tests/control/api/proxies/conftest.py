"""An API server behind TLS on loopback, and servers to which it passes requests on."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import uvloop

from sampan.control.api.proxies import kubelets, proxies
from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.cluster import ClusterCredentials, prepare
from sampan.foundation.pki.contexts import client_context, server_context
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_client import HttpsTransport
from sampan.foundation.wire.http_exchange import Exchange, Origin, Outgoing, exchange
from sampan.foundation.wire.http_server import serve
from sampan.foundation.wire.message import Request, Response, whole
from sampan.store.memory import MemoryStore

SPACE = "/api/v1/namespaces/default"


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> ClusterCredentials:
    return prepare(tmp_path_factory.mktemp("proxies") / "pki", Instance(), datetime.now(UTC))


class Front:
    """The API server as its clients see it."""

    def __init__(self, api: ApiServer, credentials: ClusterCredentials, port: int) -> None:
        self.api = api
        self.port = port
        self.context = client_context(credentials.authority, credentials.administrator)
        self.client = HttpsTransport(f"https://127.0.0.1:{port}", self.context)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        query: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        """The answer, with its whole body."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(
            method=method,
            path=path,
            query=query,
            headers={"content-type": "application/json", **(headers or {})},
            body=b"" if body is None else content,
        )
        response = await self.client.send(request)
        response.body = await whole(response.body)
        return response

    async def create(self, path: str, body: Any) -> None:
        response = await self.send("POST", path, body)
        assert response.status == 201, response.body

    async def ask(self, outgoing: Outgoing) -> Exchange:
        """On a connection of its own, for what passes as it comes."""
        return await exchange(Origin("127.0.0.1", self.port, self.context), outgoing)


Handler = Callable[[Request], Awaitable[Response]]


@asynccontextmanager
async def cluster(credentials: ClusterCredentials) -> AsyncIterator[Front]:
    settings = settings_of(Instance())
    api = ApiServer.create(
        MemoryStore(),
        settings=settings,
        signer=TokenSigner(credentials.service_account_key.read_bytes(), settings.issuer),
        clock=lambda: datetime.now(UTC),
        random=Random(1),
        kubelet_context=client_context(credentials.authority, credentials.kubelet_client),
    )
    await api.start()
    context = server_context(credentials.api_server, credentials.authority)
    server = await serve(api.handle, addresses=["127.0.0.1"], port=0, context=context)
    front = Front(api, credentials, server.port)
    try:
        yield front
    finally:
        await front.client.close()
        await server.close(1)
        await api.close()


async def fill(front: Front, port: int, kubelet: int) -> None:
    """A pod and a service `web` whose server listens at `port`, and a node `n`."""
    pod = {
        "metadata": {"name": "web"},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [
                {"name": "main", "image": "x:1", "ports": [{"containerPort": port}]},
            ],
        },
    }
    address = {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
    endpoints = {
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "FQDN",
        "ports": [{"name": "http", "port": port}],
        "endpoints": [
            {"addresses": ["127.0.0.1"], "targetRef": {"kind": "Pod", "name": "web"}},
        ],
    }
    node = {
        "metadata": {"name": "n"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet}},
        },
    }
    await front.create(f"{SPACE}/serviceaccounts", {"metadata": {"name": "default"}})
    await front.create(f"{SPACE}/pods", pod)
    answer = await front.send("PUT", f"{SPACE}/pods/web/status", {**pod, "status": address})
    assert answer.status == 200, answer.body
    service = {"metadata": {"name": "web"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
    await front.create(f"{SPACE}/services", service)
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    await front.create(slices, endpoints)
    await front.create("/api/v1/nodes", node)
    assert (await front.send("PUT", "/api/v1/nodes/n/status", node)).status == 200


Story = Callable[[Front], Awaitable[None]]


@pytest.fixture
def play(
    credentials: ClusterCredentials, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Story, Handler], None]:
    """Plays a story in a cluster whose pod, service and kubelet are one handler, on loopback."""

    def run(story: Story, backend: Handler) -> None:
        monkeypatch.setattr(proxies, "is_proxyable", bool)
        monkeypatch.setattr(kubelets, "is_proxyable", bool)
        uvloop.run(asyncio.wait_for(_play(credentials, story, backend), 30))

    return run


async def _play(credentials: ClusterCredentials, story: Story, backend: Handler) -> None:
    context = server_context(credentials.api_server, credentials.authority)
    plain = await serve(backend, addresses=["127.0.0.1"], port=0, context=None)
    secure = await serve(backend, addresses=["127.0.0.1"], port=0, context=context)
    try:
        async with cluster(credentials) as front:
            await fill(front, plain.port, secure.port)
            await story(front)
    finally:
        await plain.close(1)
        await secure.close(1)
