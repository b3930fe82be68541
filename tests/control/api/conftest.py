"""A whole API server in process, on a store in memory, at a fixed time."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from sampan.control.api.server import ApiServer
from sampan.control.api.settings import ApiSettings, settings_of
from sampan.foundation.pki.authority import generate_key
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.message import Identity, Request, Response, whole
from sampan.store.contract import Store
from sampan.store.memory import MemoryStore
from sampan.testing import virtual_clock

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ADMINISTRATOR = Identity(name="kubernetes-admin", groups=("system:masters",))
SIGNING_KEY = generate_key()


class Answer:
    """A status code, headers, and the body as JSON (or text)."""

    def __init__(self, response: Response, body: bytes) -> None:
        self.code = response.status
        self.headers = response.headers
        self.raw = body
        try:
            self.json: Any = json.loads(body)
        except ValueError:
            self.json = body.decode(errors="replace")

    def __getitem__(self, key: str) -> Any:
        return self.json[key]


class Api:
    """Requests to one server, as the administrator unless told otherwise."""

    def __init__(self, server: ApiServer, signer: TokenSigner, settings: ApiSettings) -> None:
        self.server = server
        self.signer = signer
        self.settings = settings
        self.now = NOW

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        as_user: Identity | None = ADMINISTRATOR,
        headers: dict[str, str] | None = None,
        **parameters: Any,
    ) -> Answer:
        """With `as_user` None the request enters at the front, before authentication."""
        response = await self.open(
            method, path, body, as_user=as_user, headers=headers, **parameters
        )
        return Answer(response, await whole(response.body))

    async def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        as_user: Identity | None = ADMINISTRATOR,
        headers: dict[str, str] | None = None,
        websocket: bool = False,
        **parameters: Any,
    ) -> Response:
        path, _, query = path.partition("?")
        pairs = [tuple(part.partition("=")[::2]) for part in query.split("&") if part]
        pairs += [(key, str(value)) for key, value in parameters.items()]
        given = {"content-type": "application/json"} | (headers or {})
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(
            method=method,
            path=path,
            query=tuple(pairs),
            headers=given,
            body=b"" if body is None else content,
            wants_websocket=websocket,
        )
        if as_user is None:
            return await self.server.handle(request)
        return await self.server.handle_as(request, as_user)

    async def create(self, path: str, body: Any, **parameters: Any) -> Any:
        answer = await self.send("POST", path, body, **parameters)
        assert answer.code == 201, answer.json
        return answer.json


Story = Callable[[Api], Awaitable[None]]


@pytest.fixture
def play() -> Callable[..., None]:
    """Plays a story against a fresh server (or one over the given store).

    Virtual time knows no threads: what needs one plays in real time.
    """

    def run(
        story: Story, store: Store | None = None, seed: int = 1, *, in_real_time: bool = False
    ) -> None:
        clock = asyncio if in_real_time else virtual_clock
        clock.run(asyncio.wait_for(_play(story, store or MemoryStore(), seed), 100_000))

    return run


async def _play(story: Story, store: Store, seed: int) -> None:
    settings = settings_of(Instance())
    signer = TokenSigner(SIGNING_KEY, settings.issuer)
    apis: list[Api] = []
    server = ApiServer.create(
        store,
        settings=settings,
        signer=signer,
        clock=lambda: apis[0].now if apis else NOW,
        random=Random(seed),
    )
    await server.start()
    apis.append(Api(server, signer, settings))
    try:
        await story(apis[0])
    finally:
        await server.close()


@pytest.fixture
def pod() -> Callable[..., dict[str, Any]]:
    """A small valid pod."""

    def make(name: str = "web", **labels: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "automountServiceAccountToken": False,
                "containers": [{"name": "main", "image": "hello:1"}],
            },
        }

    return make


@pytest.fixture
def account() -> dict[str, Any]:
    """The service account that pods in `default` run as."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}


@pytest.fixture(scope="session")
def play_sequence() -> Callable[..., None]:
    """Plays a story that is given `restart`, which ends the running server and starts the next
    one over the same store."""

    def run(story: Callable[..., Awaitable[None]], store: Store) -> None:
        virtual_clock.run(asyncio.wait_for(play_restarts(story, store), 60))

    return run


async def play_restarts(story: Callable[..., Awaitable[None]], store: Store) -> None:
    settings = settings_of(Instance())
    signer = TokenSigner(SIGNING_KEY, settings.issuer)
    running: list[ApiServer] = []

    async def restart() -> Api:
        while running:
            await running.pop().close()
        server = ApiServer.create(
            store, settings=settings, signer=signer, clock=lambda: NOW, random=Random(len(running))
        )
        await server.start()
        running.append(server)
        return Api(server, signer, settings)

    try:
        await story(restart, store)
    finally:
        for server in running:
            await server.close()
