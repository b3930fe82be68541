"""Connections that become WebSockets: aiohttp speaks with them, the same handler decides.

It takes a connection over with the header that asked for the upgrade. What the handler answers
without a WebSocket (a refusal) is sent as it is, and the connection ends.
"""

import asyncio
import logging
from collections.abc import AsyncIterator

from aiohttp import web

from sampan.foundation.wire.http_service import Handler
from sampan.foundation.wire.message import Request, Response, whole
from sampan.foundation.wire.request_head import (
    joined_headers,
    offered_subprotocols,
    peer_fingerprint,
    peer_subject,
    target,
)
from sampan.foundation.wire.web_socket import AcceptedWebSocket

MESSAGE_BYTES = 1024 * 1024
PING_SECONDS = 30.0

_log = logging.getLogger("sampan.wire")


class WebSocketUpgrades:
    """All WebSockets of one server."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server = web.Server(self._answer, access_log=None, logger=_log)

    def take_over(self, transport: asyncio.Transport, header: bytes) -> None:
        """Serve this connection from now on, beginning with a request's header."""
        protocol = self._server()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(header)
        transport.resume_reading()

    async def shutdown(self, seconds: float) -> None:
        await self._server.shutdown(seconds)

    async def _answer(self, incoming: web.BaseRequest) -> web.StreamResponse:
        response = await self._handler(_request(incoming))
        if response.websocket is not None:
            return await _upgrade(incoming, response)
        return await _answer_plainly(incoming, response)


def _request(incoming: web.BaseRequest) -> Request:
    path, query = target(incoming.raw_path.encode("latin-1"))
    headers = joined_headers(incoming.headers.items())
    transport = incoming.transport
    return Request(
        method=incoming.method,
        path=path,
        query=query,
        headers=headers,
        wants_websocket=headers.get("upgrade", "").lower() == "websocket",
        peer_subject=peer_subject(transport) if transport is not None else (),
        peer_fingerprint=peer_fingerprint(transport) if transport is not None else "",
    )


async def _answer_plainly(incoming: web.BaseRequest, response: Response) -> web.StreamResponse:
    """Send an answer that is none of a WebSocket, piece by piece: a watch has no end."""
    answer = web.StreamResponse(status=response.status, headers=response.headers)
    answer.force_close()
    body = response.body
    try:
        await answer.prepare(incoming)
        if isinstance(body, AsyncIterator):
            async for piece in body:
                await answer.write(piece)
        else:
            await answer.write(await whole(body))
        await answer.write_eof()
    finally:
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()
    return answer


async def _upgrade(incoming: web.BaseRequest, response: Response) -> web.StreamResponse:
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
