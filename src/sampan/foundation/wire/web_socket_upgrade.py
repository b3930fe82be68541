"""Connections that become WebSockets: the handler has decided, aiohttp speaks with the peers."""

import asyncio
import logging
from functools import partial
from weakref import WeakSet

from aiohttp import web

from sampan.foundation.wire.message import Response
from sampan.foundation.wire.request_head import offered_subprotocols
from sampan.foundation.wire.web_socket import AcceptedWebSocket

MESSAGE_BYTES = 1024 * 1024
PING_SECONDS = 30.0

_log = logging.getLogger("sampan.wire")


class WebSocketUpgrades:
    """All WebSockets of one HTTP server; each is a server of aiohttp's with one connection."""

    def __init__(self) -> None:
        self._servers: WeakSet[web.Server] = WeakSet()

    def take_over(self, transport: asyncio.Transport, begun: bytes, accepted: Response) -> None:
        """Serve this connection from now on; `begun` is what came on it, a request's header
        first."""
        server = web.Server(partial(_upgrade, accepted), access_log=None, logger=_log)
        self._servers.add(server)
        protocol = server()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(begun)
        transport.resume_reading()

    async def shutdown(self, seconds: float) -> None:
        await asyncio.gather(*(server.shutdown(seconds) for server in tuple(self._servers)))


async def _upgrade(response: Response, incoming: web.BaseRequest) -> web.StreamResponse:
    """Accept a WebSocket, or refuse it with 400 when no subprotocol is shared."""
    offered = offered_subprotocols(incoming.headers.getall("Sec-WebSocket-Protocol", []))
    if response.subprotocols and not set(offered) & set(response.subprotocols):
        return web.Response(
            status=400,
            text=f"no shared subprotocol; one of {', '.join(response.subprotocols)} is needed",
        )
    socket = web.WebSocketResponse(
        protocols=response.subprotocols,
        max_msg_size=MESSAGE_BYTES,
        heartbeat=PING_SECONDS,
        compress=False,
    )
    try:
        await socket.prepare(incoming)
    except web.HTTPException as refusal:
        return web.Response(status=refusal.status, text=refusal.reason)
    assert response.websocket is not None
    accepted = AcceptedWebSocket(socket)
    try:
        await response.websocket(accepted)
    except ConnectionError:
        _log.debug("a WebSocket's peer went away")
    finally:
        await accepted.close()
    return socket
