"""An API server, and one behind it that serves `v1.fruit.example.com` over TLS on loopback."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
import uvloop

from sampan.control.api.aggregation import servers
from sampan.control.api.server import ApiServer
from sampan.control.api.settings import ApiSettings, settings_of
from sampan.foundation.pki.authority import Authority
from sampan.foundation.pki.cluster import ClusterCredentials, prepare
from sampan.foundation.pki.contexts import KeyPairPaths, server_context
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_server import Server, serve
from sampan.foundation.wire.message import Identity, Request, Response, WebSocket, whole
from sampan.store.memory import MemoryStore

ADMINISTRATOR = Identity(name="kubernetes-admin", groups=("system:masters",))
NAME = "v1.fruit.example.com"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
GROUP = "/apis/fruit.example.com/v1"


DOCUMENTS: dict[str, Any] = {
    GROUP: {
        "kind": "APIResourceList",
        "groupVersion": "fruit.example.com/v1",
        "resources": [
            {
                "name": "apples",
                "singularName": "apple",
                "namespaced": True,
                "kind": "Apple",
                "verbs": ["get", "list", "watch"],
                "shortNames": ["ap"],
            },
            {
                "name": "apples/peel",
                "singularName": "",
                "namespaced": True,
                "kind": "Apple",
                "verbs": ["create"],
            },
        ],
    },
    "/openapi/v2": {
        "swagger": "2.0",
        "paths": {
            GROUP: {"get": {"responses": {"200": {"schema": {"$ref": "#/definitions/Apple"}}}}},
            "/apis/other.example.com/v1": {},
        },
        "definitions": {
            "Apple": {
                "type": "object",
                "properties": {"metadata": {"$ref": f"#/definitions/{METADATA}"}},
            },
            METADATA: {"type": "object", "description": "not the one of here"},
            "Pear": {"type": "object"},
        },
    },
    f"/openapi/v3{GROUP}": {"openapi": "3.0.0", "info": {}, "paths": {GROUP: {}}},
}


class FruitServer:
    """Tells who asked; knows one kind, can watch, echo, redirect, and be ill."""

    def __init__(self) -> None:
        self.is_ill = False
        self.subjects: set[tuple[tuple[str, str], ...]] = set()

    async def handle(self, request: Request) -> Response:
        self.subjects.add(request.peer_subject)
        if self.is_ill:
            return Response(status=500)
        if request.path in DOCUMENTS:
            return _json(DOCUMENTS[request.path])
        if request.path.endswith("/redirect"):
            return Response(status=302, headers={"location": "https://elsewhere.example.org"})
        if request.wants_websocket:
            return Response(websocket=_echo)
        if request.parameter("watch"):
            return Response(headers={"content-type": "application/json"}, body=_events())
        body = (await request.read_body()).decode()
        return _json({"path": request.path, "headers": request.headers, "body": body})


async def _echo(socket: WebSocket) -> None:
    while (message := await socket.receive()) is not None:
        await socket.send(message)


async def _events() -> AsyncIterator[bytes]:
    yield b'{"type":"ADDED"}\n'
    await asyncio.Event().wait()


def _json(document: Any) -> Response:
    return Response(
        headers={"content-type": "application/json"}, body=json.dumps(document).encode()
    )


class Cluster:
    """What a story has to do with."""

    def __init__(self, api: ApiServer, fruit: FruitServer, authority: bytes) -> None:
        self.api = api
        self.fruit = fruit
        self.bundle = base64.b64encode(authority).decode()
        self.port = 0
        self.end_fruit: Callable[[], Awaitable[None]] | None = None

    async def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        identity: Identity = ADMINISTRATOR,
        headers: dict[str, str] | None = None,
        query: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        given = {"content-type": "application/json", **(headers or {})}
        content = b"" if body is None else json.dumps(body).encode()
        request = Request(method=method, path=path, query=query, headers=given, body=content)
        return await self.api.handle_as(request, identity)

    async def send(self, method: str, path: str, body: Any = None, **given: Any) -> Response:
        response = await self.open(method, path, body, **given)
        response.body = await whole(response.body)
        return response

    async def get(self, path: str, **given: Any) -> Any:
        response = await self.send("GET", path, **given)
        assert response.status == 200, response.body
        return json.loads(response.body)

    async def create(self, path: str, body: Any) -> None:
        response = await self.send("POST", path, body)
        assert response.status == 201, response.body

    async def register(self, **changes: Any) -> None:
        spec = {
            "group": "fruit.example.com",
            "version": "v1",
            "groupPriorityMinimum": 2000,
            "versionPriority": 15,
            "service": {"namespace": "default", "name": "fruit"},
            "caBundle": self.bundle,
            **changes,
        }
        spec = {key: value for key, value in spec.items() if value is not None}
        await self.create(SERVICES, {"metadata": {"name": NAME}, "spec": spec})

    async def serve_fruit(self) -> None:
        """The service, and where it is served."""
        service = {"metadata": {"name": "fruit"}, "spec": {"ports": [{"port": 443}]}}
        await self.create("/api/v1/namespaces/default/services", service)
        await self.point_at(self.port)

    async def point_at(self, port: int) -> None:
        endpoints = {
            "metadata": {"name": "fruit-1", "labels": {"kubernetes.io/service-name": "fruit"}},
            "addressType": "FQDN",
            "ports": [{"name": "", "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        await self.create(slices, endpoints)

    async def answers(self, path: str, code: int) -> None:
        """Waits until the path is answered so."""
        while True:
            if (await self.send("GET", path)).status == code:
                return
            await asyncio.sleep(0.01)

    async def openapi_of(self, path: str) -> Any:
        """OpenAPI v2, once it tells of that path."""
        while True:
            document = await self.get("/openapi/v2")
            if path in document["paths"]:
                return document
            await asyncio.sleep(0.01)

    async def until(self, reason: str) -> str:
        """The message of the condition, when it has come to have that reason."""
        while True:
            service = await self.get(f"{SERVICES}/{NAME}")
            conditions = (service.get("status") or {}).get("conditions") or [{}]
            if conditions[0].get("reason") == reason:
                return str(conditions[0]["message"])
            await asyncio.sleep(0.01)


Story = Callable[[Cluster], Awaitable[None]]


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> ClusterCredentials:
    return prepare(tmp_path_factory.mktemp("front") / "pki", Instance(), datetime.now(UTC))


@pytest.fixture
def play(
    credentials: ClusterCredentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Story], None]:
    def run(story: Story) -> None:
        # Its servers are on loopback, where no endpoint of a cluster may be.
        monkeypatch.setattr(servers, "is_proxyable", bool)
        uvloop.run(asyncio.wait_for(_play(credentials, tmp_path, story), 20))

    return run


async def _play(credentials: ClusterCredentials, folder: Path, story: Story) -> None:
    now = datetime.now(UTC)
    authority = Authority.create("fruit-authority", now)
    async with AsyncExitStack() as running:
        api = await running.enter_async_context(_api(credentials))
        cluster = Cluster(api, FruitServer(), authority.certificate)
        server = await _serve(cluster.fruit, authority, credentials, folder)
        running.push_async_callback(server.close, 0.1)
        cluster.port, cluster.end_fruit = server.port, server.close
        await story(cluster)


async def _serve(
    fruit: FruitServer, authority: Authority, credentials: ClusterCredentials, folder: Path
) -> Server:
    names = ("fruit.default.svc",)
    pair = authority.issue("fruit", dns_names=names, usage="server", now=datetime.now(UTC))
    paths = KeyPairPaths(folder / "fruit.crt", folder / "fruit.key")
    paths.certificate.write_bytes(pair.certificate)
    paths.key.write_bytes(pair.key)
    front_proxy = credentials.front_proxy_authority.certificate
    context = server_context(paths, front_proxy, require_client=True)
    return await serve(fruit.handle, addresses=["127.0.0.1"], port=0, context=context)


@asynccontextmanager
async def _api(credentials: ClusterCredentials) -> AsyncIterator[ApiServer]:
    api = ApiServer.create(
        MemoryStore(),
        settings=_settings(credentials),
        signer=TokenSigner(credentials.service_account_key.read_bytes(), "https://issuer"),
        clock=lambda: datetime.now(UTC),
        random=Random(1),
    )
    await api.start()
    try:
        yield api
    finally:
        await api.close()


def _settings(credentials: ClusterCredentials) -> ApiSettings:
    instance = Instance()
    found = settings_of(instance)
    return ApiSettings(
        service_range=found.service_range,
        kubernetes_service_address=found.kubernetes_service_address,
        dns_service_address=found.dns_service_address,
        advertised_address=found.advertised_address,
        front_proxy_authority=credentials.front_proxy_authority.certificate.read_text(),
        front_proxy_client=credentials.front_proxy_client,
    )
