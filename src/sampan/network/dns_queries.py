"""Queries on sockets, answered by a responder or by the world's name servers.

Whose names are answered, and where queries come from, is not known here. What may be under way
for others is bounded by the upstream, and connections are few and short.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable

from sampan.network.dns_responder import Forward, Responder
from sampan.network.dns_upstream import Upstream

_LARGEST_QUERY = 4096
_DATAGRAMS_A_TURN = 64
_MOST_CONNECTIONS = 128
_IDLE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class QueryServer:
    """Answers on any number of sockets; only sources that `serves` agrees to are answered."""

    def __init__(
        self, responder: Responder, upstream: Upstream, serves: Callable[[str], bool]
    ) -> None:
        self._responder = responder
        self._upstream = upstream
        self._serves = serves
        self._connections = 0
        self._forwarding: set[asyncio.Task[None]] = set()

    def read_datagrams(self, sock: socket.socket) -> None:
        """Answer what has come in, but let others have their turn."""
        for _ in range(_DATAGRAMS_A_TURN):
            try:
                message, source = sock.recvfrom(_LARGEST_QUERY)
            except OSError:  # nothing more to read, or an earlier answer could not be delivered
                return
            if not self._serves(source[0]):
                continue
            response = self._responder.respond(message)
            if isinstance(response, Forward):
                self._forward(sock, message, source, response)
            elif response is not None:
                _send(sock, response, source)

    def _forward(
        self, sock: socket.socket, message: bytes, source: tuple[str, int], forward: Forward
    ) -> None:
        async def ask() -> None:
            _send(sock, await self._upstream.ask(message, forward.query, by_tcp=False), source)

        task = asyncio.get_running_loop().create_task(ask())
        self._forwarding.add(task)
        task.add_done_callback(self._forwarding.discard)

    async def serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the queries of one TCP connection, each after its length (RFC 7766)."""
        source = writer.get_extra_info("peername")
        if source is None or not self._serves(source[0]) or self._connections >= _MOST_CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the client is gone or silent, which is its right
        finally:
            self._connections -= 1
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(_IDLE_SECONDS):
            (length,) = struct.unpack(">H", await reader.readexactly(2))
            if length > _LARGEST_QUERY:
                return False
            message = await reader.readexactly(length)
        response = self._responder.respond_at_length(message)
        if isinstance(response, Forward):
            response = await self._upstream.ask(message, response.query, by_tcp=True)
        if response is None:
            return False
        writer.write(struct.pack(">H", len(response)) + response)
        async with asyncio.timeout(_IDLE_SECONDS):
            await writer.drain()
        return True


def _send(sock: socket.socket, response: bytes, source: tuple[str, int]) -> None:
    try:
        sock.sendto(response, source)
    except OSError as error:  # a full buffer or an unreachable client: it will ask again
        _log.debug("an answer to %s was lost: %s", source[0], error)
