"""The name server of one namespace: its sockets are inside, it answers from outside.

Only what runs in the namespace reaches its address, and only that is answered: whoever forges a
source makes it send nothing. Names that are none of the networks' are asked for at the machine's
name servers, or at those that were chosen.
"""

import asyncio
from ipaddress import IPv4Address

from sampan.network.bridges.names import SharedNames
from sampan.network.bridges.namespaces import Namespace
from sampan.network.dns_queries import QueryServer
from sampan.network.dns_responder import Responder
from sampan.network.dns_upstream import NameServers, Upstream

_MOST_FORWARDED = 64


class NameServer:
    """Answers in one namespace; it owns the sockets there."""

    def __init__(self, namespace: Namespace, names: SharedNames, resolvers: NameServers) -> None:
        self._namespace = namespace
        self._responder = Responder(names)
        upstream = Upstream(resolvers, most=_MOST_FORWARDED)
        self._queries = QueryServer(self._responder, upstream, _is_inside)
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Answer from now on (OSError)."""
        datagrams = self._namespace.datagrams
        asyncio.get_running_loop().add_reader(datagrams, self._queries.read_datagrams, datagrams)
        self._listener = await asyncio.start_server(
            self._queries.serve_connection, sock=self._namespace.connections
        )

    def forget(self) -> None:
        """Names have changed."""
        self._responder.forget()

    def close(self) -> None:
        """Answer no more, and let go of the sockets."""
        asyncio.get_running_loop().remove_reader(self._namespace.datagrams)
        if self._listener is not None:
            self._listener.close()
        self._namespace.close()


def _is_inside(source: str) -> bool:
    """The kernel gives whoever speaks to 127.0.0.11 a source on the loopback."""
    return IPv4Address(source).is_loopback
