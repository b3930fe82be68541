"""A client's session: what the engine may ask of the client while it builds for it.

The client opens it by `POST /session` and then answers calls on that connection; a build names it
by its identifier.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sampan.engine.images.contract import Credentials
from sampan.engine.images.reference import DEFAULT_REGISTRY
from sampan.faces.dockerapi.buildkit import grpc
from sampan.faces.dockerapi.buildkit.agent_forwarding import forwarded_agent, has_agent
from sampan.faces.dockerapi.buildkit.content_store import ClientContent
from sampan.faces.dockerapi.buildkit.http2 import Http2Connection
from sampan.foundation.wire import protobuf_fields as protobuf
from sampan.foundation.wire.message import ByteStream

_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"  # noqa: S105 - the name of a method
_CREDENTIALS = "/moby.filesync.v1.Auth/Credentials"
_ARRIVAL_SECONDS = 5.0
# Docker's clients keep the credentials of the default registry under this name.
_DEFAULT_HOST = f"registry-1.{DEFAULT_REGISTRY}"


class ClientSession:
    """Implements the engine's ClientSources."""

    def __init__(self, connection: Http2Connection) -> None:
        self.connection = connection

    async def credentials(self, registry: str) -> Credentials | None:
        host = _DEFAULT_HOST if registry == DEFAULT_REGISTRY else registry
        try:
            answer = await grpc.ask(self.connection, _CREDENTIALS, protobuf.text(1, host))
        except grpc.CallFailed:
            return None  # a client without credentials does not serve them
        found = protobuf.Fields(answer)
        if not (found.text(1) or found.text(2)):
            return None
        if not found.text(1):
            return Credentials(identity_token=found.text(2), server=registry)
        return Credentials(user=found.text(1), password=found.text(2), server=registry)

    async def secret(self, identifier: str) -> bytes | None:
        try:
            answer = await grpc.ask(self.connection, _SECRET, protobuf.text(1, identifier))
        except grpc.CallFailed as error:
            if error.code in (grpc.NOT_FOUND, grpc.UNIMPLEMENTED, grpc.UNKNOWN):
                return None
            raise
        return protobuf.Fields(answer).data(1)

    @asynccontextmanager
    async def ssh_agent(self, identifier: str) -> AsyncIterator[Path | None]:
        if not await has_agent(self.connection, identifier):
            yield None
            return
        async with forwarded_agent(self.connection, identifier) as socket:
            yield socket

    def cache_place(self, identifier: str, digest: str) -> ClientContent:
        return ClientContent(self.connection, identifier, digest)


class Sessions:
    def __init__(self) -> None:
        self._sessions: dict[str, ClientSession] = {}
        self._arrived = asyncio.Condition()

    async def serve(self, identifier: str, peer: ByteStream) -> None:
        """A client's session, until it leaves."""
        connection = Http2Connection(peer)
        await connection.begin()
        self._sessions[identifier] = ClientSession(connection)
        async with self._arrived:
            self._arrived.notify_all()
        try:
            await connection.run()
        finally:
            self._sessions.pop(identifier, None)

    async def find(self, identifier: str) -> ClientSession:
        """A session, which may be just about to come. Raises CallFailed."""
        try:
            async with asyncio.timeout(_ARRIVAL_SECONDS), self._arrived:
                await self._arrived.wait_for(lambda: identifier in self._sessions)
        except TimeoutError as error:
            raise grpc.CallFailed(
                grpc.NOT_FOUND, f"no active session for {identifier[:60]}"
            ) from error
        return self._sessions[identifier]
