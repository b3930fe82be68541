"""A connection that becomes the streams of a command: attach and exec.

What the client sends is the command's input until it ends or the detach keys are pressed; what
the command says comes back, framed unless it has a terminal. A command that was begun by exec
outlives its client: what it says later is thrown away, so that it isn't held up.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from sampan.engine.contract import EngineError, ExecSession
from sampan.faces.dockerapi import multiplexing
from sampan.faces.dockerapi.call import Call
from sampan.faces.dockerapi.detach_keys import DetachKeys
from sampan.foundation.wire.message import Body, ByteStream, Response, Tunnel

BOTH = frozenset(("stdout", "stderr"))
_draining: set[asyncio.Task[None]] = set()


class Streams(AsyncIterator[bytes]):
    """A command's streams with a client's wishes about them.

    It is the (empty) body of the answer too, so that it is let go of whatever becomes of that.
    """

    def __init__(
        self,
        session: ExecSession,
        *,
        stdin: bool,
        terminal: bool,
        outlives_client: bool,
        detach_keys: bytes,
        wanted: frozenset[str] = BOTH,
    ) -> None:
        self._session = session
        self._stdin = stdin
        self._terminal = terminal
        self._outlives_client = outlives_client
        self._wanted = wanted
        self._keys = DetachKeys(detach_keys) if terminal else None
        self._client: ByteStream | None = None
        self._left = False
        self._saying: asyncio.Task[None] | None = None

    async def relay(self, client: ByteStream) -> None:
        """Until the command has said all, or the client has left."""
        self._client = client
        self._saying = asyncio.create_task(self._say())
        hearing = asyncio.create_task(self._hear(client))
        try:
            await asyncio.wait((self._saying, hearing), return_when=asyncio.FIRST_COMPLETED)
            if not self._left:
                await asyncio.wait((self._saying,))
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """The client is no more."""
        self._left = True
        if not self._outlives_client:
            if self._saying is not None:
                self._saying.cancel()
                await asyncio.gather(self._saying, return_exceptions=True)
            await self._session.kill()
            return
        if self._saying is None:
            self._saying = asyncio.create_task(self._say())
        if not self._saying.done():
            await self._end_input()
            _draining.add(self._saying)
            self._saying.add_done_callback(_draining.discard)

    async def _say(self) -> None:
        async for stream, data in self._session.output():
            if self._left and not self._outlives_client:
                return
            if self._left or self._client is None or not (self._terminal or stream in self._wanted):
                continue
            try:
                framed = data if self._terminal else multiplexing.frame(stream, data)
                await self._client.write(framed)
            except ConnectionError:
                self._left = True

    async def _hear(self, client: ByteStream) -> None:
        """Raises nothing: a client may go away, a command may cease to listen."""
        try:
            while data := await client.read():
                if self._keys is not None:
                    data, self._left = self._keys.feed(data)
                if self._stdin and data:
                    await self._session.write(data)
                if self._left:
                    return
        except BrokenPipeError:
            await _ignore(client)
        except ConnectionError:
            self._left = True
            return
        if self._stdin:
            await self._end_input()

    async def _end_input(self) -> None:
        """A terminal's goes on without its client, as in Docker."""
        if not self._terminal:
            with suppress(BrokenPipeError):
                await self._session.close_stdin()


async def _ignore(client: ByteStream) -> None:
    with suppress(ConnectionError):
        while await client.read():
            continue


def response(call: Call, streams: Streams, *, terminal: bool) -> Response:
    """The answer that hands the connection over."""
    return _handed_over(call, streams.relay, streams, terminal=terminal)


def begun_later(call: Call, begin: Callable[[], Awaitable[Streams]], *, terminal: bool) -> Response:
    """The answer that hands the connection over, and only then begins the command: there are
    clients that lose what comes together with the answer's header. Why it can't be begun is told
    where its output would be.
    """

    async def relay(client: ByteStream) -> None:
        try:
            streams = await begin()
        except (EngineError, OSError) as error:
            data = f"{error}\r\n".encode()
            with suppress(ConnectionError):
                await client.write(data if terminal else multiplexing.frame("stdout", data))
            return
        try:
            await streams.relay(client)
        finally:
            await streams.aclose()

    return _handed_over(call, relay, b"", terminal=terminal)


def _handed_over(call: Call, tunnel: Tunnel, body: Body, *, terminal: bool) -> Response:
    """101 to those who asked for an upgrade."""
    if "upgrade" not in call.request.headers:
        headers = {"Content-Type": multiplexing.RAW}
        return Response(headers=headers, tunnel=tunnel, body=body)
    headers = {
        "Content-Type": multiplexing.content_type(call.version, terminal=terminal),
        "Connection": "Upgrade",
        "Upgrade": "tcp",
    }
    return Response(status=101, headers=headers, tunnel=tunnel, body=body)
