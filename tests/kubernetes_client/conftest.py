"""A client of a real API server, in the same process or over HTTPS, whose connections can be cut.

In process a story is told on virtual time; over HTTPS it takes the few milliseconds that it takes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
import pytest

from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.authority import generate_key
from sampan.foundation.pki.cluster import ClusterCredentials, prepare
from sampan.foundation.pki.contexts import client_context, server_context
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_client import HttpsTransport
from sampan.foundation.wire.http_server import Server, serve
from sampan.foundation.wire.message import Identity, Request, Response, let_go
from sampan.kubernetes.client.api_client import ApiClient
from sampan.store.memory import MemoryStore
from sampan.testing import virtual_clock

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
SIGNING_KEY = generate_key()
INSTANCE = Instance()
ADMINISTRATOR = Identity(name="root", groups=("system:masters",))


class Wire:
    """A transport that can be cut, and counts what passes.

    The next watch that begins is cut after `lines_until_cut` lines, or refused for ever when the
    server behind the wire `refuses_beginnings`, as one without such watches does.
    """

    def __init__(self, credentials: ClusterCredentials | None) -> None:
        self._credentials = credentials
        self._store = MemoryStore()
        self._streams: list[Stream] = []
        self.down = False
        self.requests: list[Request] = []
        self.lines_until_cut = 0
        self.refuses_beginnings = False

    async def start(self) -> None:
        settings = settings_of(INSTANCE)
        self._server = ApiServer.create(
            self._store,
            settings=settings,
            signer=TokenSigner(SIGNING_KEY, settings.issuer),
            clock=lambda: NOW,
            random=Random(1),
        )
        await self._server.start()
        self._listener: Server | None = None
        self._transport = self._server.transport(ADMINISTRATOR)
        if self._credentials is not None:
            self._transport = await self._serve(self._credentials)

    async def _serve(self, credentials: ClusterCredentials) -> HttpsTransport:
        address = str(INSTANCE.loopback_address)
        self._listener = await serve(
            self._server.handle,
            addresses=[address],
            port=0,
            context=server_context(credentials.api_server, credentials.authority),
        )
        context = client_context(credentials.authority, credentials.administrator)
        return HttpsTransport(f"https://{address}:{self._listener.port}", context)

    async def stop(self) -> None:
        await self.cut()
        await self._transport.close()
        self._server.begin_shutdown()
        if self._listener is not None:
            await self._listener.close(0.1)
        await self._server.close()

    async def restart_server(self) -> None:
        """Another server on the same store, as after a crash."""
        self.down = True
        await self.stop()
        await self.start()
        self.down = False

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        if self.down:
            raise ConnectionError("the wire is cut")
        begins = bool(request.parameter("sendInitialEvents"))
        if begins and self.refuses_beginnings:
            refusal = {"kind": "Status", "code": 422, "reason": "Invalid"}
            return Response(status=422, body=msgspec.json.encode(refusal))
        response = await self._transport.send(request)
        if isinstance(response.body, AsyncIterator):
            lines, self.lines_until_cut = (self.lines_until_cut, 0) if begins else (0, 0)
            self._streams.append(Stream(response.body, lines))
            response.body = self._streams[-1]
        return response

    async def close(self) -> None:
        """The wire is the fixture's."""

    async def cut(self) -> None:
        """End every open stream with an error."""
        for stream in self._streams:
            await stream.break_off()
        self._streams.clear()


class Stream(AsyncIterator[bytes]):
    """A stream that can break: when told to, or after so many lines."""

    def __init__(self, inner: AsyncIterator[bytes], lines: int) -> None:
        self._inner = inner
        self._lines = lines
        self._broken = False

    async def __anext__(self) -> bytes:
        if self._broken:
            raise ConnectionError("the stream broke")
        try:
            piece = await anext(self._inner)
        except StopAsyncIteration:
            if self._broken:
                raise ConnectionError("the stream broke") from None
            raise
        if self._lines:
            piece = b"".join(piece.splitlines(keepends=True)[: self._lines])
            await self.break_off()
        return piece

    async def break_off(self) -> None:
        self._broken = True
        await self.aclose()

    async def aclose(self) -> None:
        await let_go(self._inner)


Story = Callable[[ApiClient, Wire], Awaitable[None]]


async def _told(
    story: Story, credentials: ClusterCredentials | None, seconds: float = 30.0
) -> None:
    wire = Wire(credentials)
    await wire.start()
    try:
        async with asyncio.timeout(seconds):
            await story(ApiClient(wire, user_agent="teller/1"), wire)
    finally:
        await wire.stop()


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> ClusterCredentials:
    folder: Path = tmp_path_factory.mktemp("pki")
    return prepare(folder, INSTANCE, datetime.now(UTC))


@pytest.fixture(params=["in process", "https"])
def play(request: pytest.FixtureRequest, credentials: ClusterCredentials) -> Callable[..., None]:
    """Tells a story over each transport."""
    if request.param == "https":
        return lambda story: asyncio.run(_told(story, credentials))
    return play_story_in_process


@pytest.fixture
def play_in_process() -> Callable[..., None]:
    """Tells a story on virtual time, where seconds don't count."""
    return play_story_in_process


def play_story_in_process(story: Story, seconds: float = 30.0) -> None:
    virtual_clock.run(_told(story, None, seconds))
