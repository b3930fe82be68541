"""Connections to servers that are asked often: so many are kept, those asked last.

It must not know who they are, nor what they are asked.
"""

import asyncio
import ssl
from collections import OrderedDict
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from sampan.foundation.wire.http_client import HttpsTransport


class Peer(msgspec.Struct, frozen=True):
    """Who is asked. `trust` tells contexts apart, `server_name` is the name in the certificate
    where that is not the host's."""

    base: str
    trust: str = ""
    server_name: str | None = None


class Transports:
    """`most` are kept, and the streams of one that has to go end with it; `largest_body` bounds
    what an answer of a known length may bring."""

    def __init__(self, most: int, largest_body: int) -> None:
        self._most = most
        self._largest_body = largest_body
        self._open: OrderedDict[Peer, HttpsTransport] = OrderedDict()

    async def to(self, peer: Peer, context: ssl.SSLContext) -> "HttpsTransport":
        """The transport to a peer, made when it is first asked."""
        found = self._open.get(peer)
        if found is not None:
            self._open.move_to_end(peer)
            return found
        # The client's library takes long to import; the loop goes on meanwhile.
        module = await asyncio.to_thread(import_module, "sampan.foundation.wire.http_client")
        made = module.HttpsTransport(
            peer.base, context, server_name=peer.server_name, largest_body=self._largest_body
        )
        # Another call may have made it meanwhile.
        transport = self._open.setdefault(peer, made)
        if len(self._open) > self._most:
            await self._open.popitem(last=False)[1].close()
        return transport

    async def close(self) -> None:
        while self._open:
            await self._open.popitem()[1].close()
