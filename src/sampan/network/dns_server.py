"""The name server's process at work: queries in, answers out, changes of names from the agent.

It lives as long as the agent's end of the control socket. Only pods, nodes and local programs
are answered: a server that answered everybody could be made to flood others.
"""

import asyncio
import logging
import socket
from ipaddress import IPv4Address
from pathlib import Path

from sampan.network.dns_control import (
    LARGEST_FRAME,
    LENGTH,
    DnsSettings,
    change_decoder,
    settings_decoder,
)
from sampan.network.dns_queries import QueryServer
from sampan.network.dns_responder import Responder
from sampan.network.dns_upstream import Resolvers, Upstream
from sampan.network.dns_zone import Zone

_MOST_SOURCES = 65_536
_log = logging.getLogger(__name__)


class Server:
    """The cluster's names and who may ask for them; `queries` answers on sockets."""

    def __init__(self, settings: DnsSettings, upstream: Upstream) -> None:
        ranges = (settings.pod_range, settings.service_range)
        self._zone = Zone(settings.domain, settings.pod_range, ranges)
        self._responder = Responder(self._zone)
        self.queries = QueryServer(self._responder, upstream, self.serves)
        self._served = (settings.pod_range, settings.node_range, settings.service_range)
        self._sources: dict[str, bool] = {}

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
        loop.add_reader(udp, server.queries.read_datagrams, udp)
        listener = await asyncio.start_server(server.queries.serve_connection, sock=tcp)
        async with listener:
            while True:
                server.update(await _read_frame(reader))
    except asyncio.IncompleteReadError:
        _log.info("the agent has gone")
    finally:
        loop.remove_reader(udp)
        writer.close()
