"""A client of a real API server in the same process, whose connections can be cut."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from random import Random

import pytest

from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.authority import generate_key
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.message import Identity, Request, Response
from sampan.kubernetes.client.api_client import ApiClient
from sampan.store.memory import MemoryStore
from sampan.testing import virtual_clock

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
SIGNING_KEY = generate_key()


class Wire:
    """A transport in process that can be cut, and counts what passes."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._streams: list[Stream] = []
        self.down = False
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        if self.down:
            raise ConnectionError("the wire is cut")
        who = Identity(name="root", groups=("system:masters",))
        response = await self._server.handle_as(request, who)
        if isinstance(response.body, AsyncIterator):
            self._streams.append(Stream(response.body))
            response.body = self._streams[-1]
        return response

    async def close(self) -> None:
        """Nothing is held."""

    async def cut(self) -> None:
        """End every open stream with an error."""
        for stream in self._streams:
            await stream.break_off()
        self._streams.clear()


class Stream(AsyncIterator[bytes]):
    """A stream that can break."""

    def __init__(self, inner: AsyncIterator[bytes]) -> None:
        self._inner = inner
        self._broken = False

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._inner)
        except StopAsyncIteration:
            if self._broken:
                raise ConnectionError("the stream broke") from None
            raise

    async def break_off(self) -> None:
        self._broken = True
        await self.aclose()

    async def aclose(self) -> None:
        await self._inner.aclose()


Story = Callable[[ApiClient, Wire], Awaitable[None]]


@pytest.fixture
def play() -> Callable[[Story], None]:
    async def run(story: Story) -> None:
        settings = settings_of(Instance())
        server = ApiServer.create(
            MemoryStore(),
            settings=settings,
            signer=TokenSigner(SIGNING_KEY, settings.issuer),
            clock=lambda: NOW,
            random=Random(1),
        )
        await server.start()
        wire = Wire(server)
        try:
            async with asyncio.timeout(30):
                await story(ApiClient(wire), wire)
        finally:
            await server.close()

    return lambda story: virtual_clock.run(run(story))
