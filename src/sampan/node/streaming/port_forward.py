"""Connections of a client to ports of a pod, carried by one upgraded connection.

Two protocols: pairs of SPDY streams (portforward.k8s.io), plain or inside a WebSocket, one pair
a connection; and the channels of a WebSocket (v4.channel.k8s.io), two a port, opened with it.
How a port is reached is not known here.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from sampan.foundation import tasks
from sampan.foundation.wire.message import ByteStream, WebSocket
from sampan.foundation.wire.spdy.session import Session, Stream

PROTOCOL = "portforward.k8s.io"
TUNNEL = f"SPDY/3.1+{PROTOCOL}"
CHANNELS = "v4.channel.k8s.io"
MOST_PORTS = 127
_READ_BYTES = 32 * 1024
_OTHER_HALF_SECONDS = 30.0

# Opens a connection to a port of the pod; raises OSError.
Dial = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

_log = logging.getLogger("sampan.node.streaming")


async def forward_streams(connection: ByteStream, dial: Dial) -> None:
    """Serve every pair of streams until the client's session ends."""
    pairs = _Pairs(dial)
    try:
        await Session(connection, pairs.opened).run()
    except ConnectionError as error:
        _log.debug("the client of forwarded ports went away: %s", error)
    finally:
        await pairs.stop()


class _Pairs:
    """The streams that wait for their other half, and the work on those that have it."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._waiting: dict[str, dict[str, Stream]] = {}
        self._work: set[asyncio.Task[None]] = set()

    def opened(self, stream: Stream) -> None:
        kind, request = stream.headers.get("streamtype", ""), stream.headers.get("requestid", "")
        if kind not in ("data", "error"):
            self._do(stream.end())
            return
        pair = self._waiting.setdefault(request, {})
        pair[kind] = stream
        if len(pair) == 2:
            del self._waiting[request]
            self._do(self._serve(pair["data"], pair["error"]))
        else:
            self._do(self._expire(request, pair))

    async def stop(self) -> None:
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _expire(self, request: str, pair: dict[str, Stream]) -> None:
        await asyncio.sleep(_OTHER_HALF_SECONDS)
        if self._waiting.get(request) is pair:
            del self._waiting[request]
            for stream in pair.values():
                await stream.end()

    async def _serve(self, data: Stream, error: Stream) -> None:
        with contextlib.suppress(ConnectionError):
            problem = await self._connect(data)
            if problem:
                await error.write(problem.encode())
            await data.end()
            await error.end()

    async def _connect(self, data: Stream) -> str:
        """Carry one connection; what went wrong before it was there, or nothing."""
        port = data.headers.get("port", "")
        if not _is_port(port):
            return f"{port[:20]!r} is not a port"
        try:
            reader, writer = await self._dial(int(port))
        except OSError as refusal:
            return _refused(int(port), refusal)
        feeding = asyncio.create_task(_feed(data, writer))
        try:
            while piece := await reader.read(_READ_BYTES):
                await data.write(piece)
        except OSError as broken:
            _log.debug("a forwarded connection broke off: %s", broken)
        finally:
            writer.close()
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
        return ""


async def _feed(data: Stream, writer: asyncio.StreamWriter) -> None:
    """What the client sends; its end is passed on, since the pod may still answer."""
    try:
        while piece := await data.read():
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def forward_channels(socket: WebSocket, ports: tuple[int, ...], dial: Dial) -> None:
    """Serve one connection to each port until they end or the client goes."""
    for number, port in enumerate(ports):
        for channel in (2 * number, 2 * number + 1):
            await socket.send(bytes((channel,)) + port.to_bytes(2, "little"))
    inputs: dict[int, asyncio.StreamWriter] = {}
    opened = [_carry(socket, 2 * number, port, dial, inputs) for number, port in enumerate(ports)]
    try:
        await tasks.until_first_ends(_all(opened), _feed_channels(socket, inputs))
    finally:
        for writer in inputs.values():
            writer.close()
        await socket.close()


async def _all(works: list[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*works)


async def _carry(
    socket: WebSocket,
    channel: int,
    port: int,
    dial: Dial,
    inputs: dict[int, asyncio.StreamWriter],
) -> None:
    try:
        reader, writer = await dial(port)
    except OSError as refusal:
        await socket.send(bytes((channel + 1,)) + _refused(port, refusal).encode())
        return
    inputs[channel] = writer
    try:
        while piece := await reader.read(_READ_BYTES):
            await socket.send(bytes((channel,)) + piece)
    except OSError as broken:
        _log.debug("a forwarded connection broke off: %s", broken)


async def _feed_channels(socket: WebSocket, inputs: dict[int, asyncio.StreamWriter]) -> None:
    while (message := await socket.receive()) is not None:
        writer = inputs.get(message[0]) if message else None
        if writer is not None:
            writer.write(message[1:])
            with contextlib.suppress(OSError):
                await writer.drain()


def wanted_ports(texts: tuple[str, ...]) -> tuple[int, ...]:
    """The ports that a client of channels names, singly or with commas between.

    Raises ValueError.
    """
    names = [name for text in texts for name in text.split(",")]
    if not names or len(names) > MOST_PORTS:
        raise ValueError(f"between 1 and {MOST_PORTS} ports must be given as query parameter ports")
    for name in names:
        if not _is_port(name):
            raise ValueError(f"{name[:20]!r} is not a port")
    return tuple(map(int, names))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536


def _refused(port: int, error: OSError) -> str:
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return f"error forwarding port {port}: dial tcp 127.0.0.1:{port}: connect: {reason}"
