"""The channels of a command carried by streams of SPDY, one a channel.

The remote command protocols v4.channel.k8s.io and before, as kubelets speak them: the client
opens all streams, each with a header `streamType`; a stream's end is the channel's.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sampan.foundation import tasks
from sampan.foundation.wire.message import ByteStream
from sampan.foundation.wire.spdy.session import Session, Stream
from sampan.node.streaming.channels import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT, Channels

PROTOCOLS = ("v4.channel.k8s.io",)
_TYPES = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}
_OPENING_SECONDS = 30.0
_FAREWELL_SECONDS = 5.0

_log = logging.getLogger("sampan.node.streaming")


async def serve(
    connection: ByteStream, types: frozenset[str], talk: Callable[[Channels], Awaitable[None]]
) -> None:
    """Wait until the client has opened streams of these types, and hold the conversation."""
    streams = CommandStreams(types)
    session = Session(connection, streams.opened)
    running = asyncio.create_task(session.run())
    try:
        async with asyncio.timeout(_OPENING_SECONDS):
            await tasks.until_first_ends(streams.complete(), _ended(running))
        if not running.done():
            streams.begin(running)
            await talk(streams)
            # A connection that is closed before its peer has said all may lose what was sent.
            await session.close()
            await asyncio.wait((running,), timeout=_FAREWELL_SECONDS)
    except TimeoutError:
        _log.info("the client of a command did not open its streams")
    except ConnectionError:
        _log.debug("the client of a command went away")
    finally:
        await streams.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait((task,))


class CommandStreams:
    """`Channels` over the streams of one session."""

    def __init__(self, types: frozenset[str]) -> None:
        self._missing = set(types)
        self._complete = asyncio.Event()
        self._streams: dict[int, Stream] = {}
        self._received: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._readers: list[asyncio.Task[None]] = []

    def opened(self, stream: Stream) -> None:
        """The session's callback; a second stream of one type has no meaning."""
        kind = stream.headers.get("streamtype", "")
        if kind in self._missing:
            self._missing.discard(kind)
            self._streams[_TYPES[kind]] = stream
        if not self._missing:
            self._complete.set()

    async def complete(self) -> None:
        """Return once all streams are there."""
        await self._complete.wait()

    def begin(self, session: asyncio.Task[None]) -> None:
        """Take in what the client sends, until its session ends."""
        for channel, read in ((STDIN, self._read_input), (RESIZE, self._read_sizes)):
            if channel in self._streams:
                self._readers.append(asyncio.create_task(read(self._streams[channel])))
        self._readers.append(asyncio.create_task(self._read_end(session)))

    async def receive(self) -> bytes | None:
        return await self._received.get()

    async def send(self, message: bytes) -> None:
        """What has no stream was not asked for."""
        stream = self._streams.get(message[0])
        if stream is not None:
            await stream.write(message[1:])

    async def close(self) -> None:
        for stream in self._streams.values():
            await stream.end()

    async def stop(self) -> None:
        """Let go of the tasks."""
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def _read_input(self, stream: Stream) -> None:
        while data := await stream.read():
            await self._received.put(bytes((STDIN,)) + data)
        await self._received.put(bytes((CLOSE, STDIN)))

    async def _read_sizes(self, stream: Stream) -> None:
        """Each size is an object on a line of its own; several may come at once."""
        while data := await stream.read():
            for line in data.splitlines():
                await self._received.put(bytes((RESIZE,)) + line)

    async def _read_end(self, session: asyncio.Task[None]) -> None:
        await asyncio.wait((session,))
        await self._received.put(None)
