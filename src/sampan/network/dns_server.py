"""The name server's process at work: queries in, answers out, changes of names from the agent.

It lives as long as the agent's end of the control socket. Only pods, nodes and local programs
are answered: a server that answered everybody could be made to flood others.
"""

import asyncio
import logging
import socket
import struct
from ipaddress import IPv4Address
from pathlib import Path

from sampan.network.dns_control import (
    LARGEST_FRAME,
    LENGTH,
    DnsSettings,
    change_decoder,
    settings_decoder,
)
from sampan.network.dns_responder import Forward, Responder
from sampan.network.dns_upstream import Resolvers, Upstream
from sampan.network.dns_zone import Zone

_LARGEST_QUERY = 4096
_DATAGRAMS_A_TURN = 64
_MOST_SOURCES = 65_536
_MOST_CONNECTIONS = 128
_IDLE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class Server:
    """Answers on one UDP and one TCP socket."""

    def __init__(self, settings: DnsSettings, upstream: Upstream) -> None:
        ranges = (settings.pod_range, settings.service_range)
        self._zone = Zone(settings.domain, settings.pod_range, ranges)
        self._responder = Responder(self._zone)
        self._upstream = upstream
        self._served = (settings.pod_range, settings.node_range, settings.service_range)
        self._sources: dict[str, bool] = {}
        self._connections = 0
        self._forwarding: set[asyncio.Task[None]] = set()

    def update(self, frame: bytes) -> None:
        """Take a change of names from the agent."""
        change = change_decoder.decode(frame)
        for name in self._zone.update(change.changed, change.removed):
            _log.warning("%r cannot be a name in DNS", name)
        self._responder.forget()

    def serves(self, source: str) -> bool:
        """Whether this address may ask."""
        known = self._sources.get(source)
        if known is None:
            address = IPv4Address(source)
            known = address.is_loopback or any(address in each for each in self._served)
            if len(self._sources) >= _MOST_SOURCES:
                self._sources.clear()
            self._sources[source] = known
        return known

    def read_datagrams(self, sock: socket.socket) -> None:
        """Answer what has come in, but let others have their turn."""
        for _ in range(_DATAGRAMS_A_TURN):
            try:
                message, source = sock.recvfrom(_LARGEST_QUERY)
            except OSError:  # nothing more to read, or an earlier answer could not be delivered
                return
            if not self.serves(source[0]):
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
        if source is None or not self.serves(source[0]) or self._connections >= _MOST_CONNECTIONS:
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


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    if length > LARGEST_FRAME:
        raise ValueError(f"a frame of {length} bytes is too long")
    return await reader.readexactly(length)


async def serve_dns(udp: socket.socket, tcp: socket.socket, control: socket.socket) -> None:
    """Serve names on these sockets until the other end of `control` is closed.

    Its first frame is the settings, each further one a change of names.
    """
    loop = asyncio.get_running_loop()
    udp.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=control)
    try:
        settings = settings_decoder.decode(await _read_frame(reader))
        files = (Path(file) for file in settings.resolver_files)
        server = Server(settings, Upstream(Resolvers(files, settings.listen_address)))
        server.update(await _read_frame(reader))
        loop.add_reader(udp, server.read_datagrams, udp)
        listener = await asyncio.start_server(server.serve_connection, sock=tcp)
        async with listener:
            while True:
                server.update(await _read_frame(reader))
    except asyncio.IncompleteReadError:
        _log.info("the agent has gone")
    finally:
        loop.remove_reader(udp)
        writer.close()
