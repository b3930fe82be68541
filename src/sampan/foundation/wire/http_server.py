"""An HTTP server, over TLS or a Unix socket, for handlers that know only `Request` and `Response`.

It must not know what is served. A connection's bytes are `http_connection`'s business; the few
that become WebSockets are handed to `web_socket_upgrade`.
"""

import asyncio
import ssl
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sampan.foundation.wire.http_connection import HttpConnection
from sampan.foundation.wire.http_service import Handler, Service
from sampan.foundation.wire.message import Response
from sampan.foundation.wire.tls_connection import TlsConnection

if TYPE_CHECKING:
    from sampan.foundation.wire.web_socket_upgrade import WebSocketUpgrades

__all__ = ["Handler", "Server", "serve"]

MAXIMUM_BODY = 3 * 1024 * 1024
HANDSHAKE_SECONDS = 10.0


class Server:
    """A listening server; `port` is the one it got when 0 was asked for, 0 on a Unix socket."""

    def __init__(
        self, listener: asyncio.Server, service: Service, web_sockets: "_WebSockets"
    ) -> None:
        self._listener = listener
        self._service = service
        self._web_sockets = web_sockets
        address = listener.sockets[0].getsockname()
        self.port: int = address[1] if isinstance(address, tuple) else 0

    async def close(self, drain_seconds: float = 5.0) -> None:
        """Stop listening, let running requests end, and cut off what is left after the drain."""
        self._listener.close()
        await asyncio.gather(
            self._service.drain(drain_seconds), self._web_sockets.shutdown(drain_seconds)
        )


async def serve(
    handler: Handler,
    *,
    addresses: Sequence[str],
    port: int,
    context: ssl.SSLContext | None,
    maximum_body: int = MAXIMUM_BODY,
    halves_end_apart: bool = False,
) -> Server:
    """Listen on every one of `addresses` and answer requests with `handler`.

    The handler is called when a request's header is complete; its body waits on the wire until
    `Request.read_body`. `halves_end_apart`: over TLS, too, a peer that has said all may still
    listen to a tunnel; it costs some speed. Raises OSError when an address can't be bound.
    """
    web_sockets = _WebSockets()
    service = Service(handler, maximum_body, web_sockets.take_over)

    def connection() -> asyncio.Protocol:
        return HttpConnection(service)

    def connection_with_halves() -> asyncio.Protocol:
        assert context is not None
        return TlsConnection(context, connection, HANDSHAKE_SECONDS)

    own_tls = halves_end_apart and context is not None
    listener = await asyncio.get_running_loop().create_server(
        connection_with_halves if own_tls else connection,
        list(addresses),
        port,
        ssl=None if own_tls else context,
        backlog=1024,
        reuse_address=True,
        ssl_handshake_timeout=HANDSHAKE_SECONDS if context and not own_tls else None,
    )
    return Server(listener, service, web_sockets)


async def serve_unix(handler: Handler, *, path: Path, maximum_body: int = MAXIMUM_BODY) -> Server:
    """The same on a Unix socket, which must not be there yet. Raises OSError."""
    web_sockets = _WebSockets()
    service = Service(handler, maximum_body, web_sockets.take_over)
    listener = await asyncio.get_running_loop().create_unix_server(
        lambda: HttpConnection(service), str(path), backlog=1024
    )
    return Server(listener, service, web_sockets)


class _WebSockets:
    """Loads what speaks WebSocket when the first peer asks for it: most servers that start
    never need it soon, and it takes longer to import than all the rest of a server."""

    def __init__(self) -> None:
        self._upgrades: WebSocketUpgrades | None = None
        self._waiting: set[asyncio.Task[None]] = set()

    def take_over(self, transport: asyncio.Transport, begun: bytes, accepted: Response) -> None:
        transport.pause_reading()
        task = asyncio.create_task(self._take_over(transport, begun, accepted))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def shutdown(self, seconds: float) -> None:
        for task in tuple(self._waiting):
            task.cancel()
        if self._upgrades is not None:
            await self._upgrades.shutdown(seconds)

    async def _take_over(
        self, transport: asyncio.Transport, begun: bytes, accepted: Response
    ) -> None:
        if self._upgrades is None:
            module = await asyncio.to_thread(
                import_module, "sampan.foundation.wire.web_socket_upgrade"
            )
            self._upgrades = self._upgrades or module.WebSocketUpgrades()
        if not transport.is_closing():
            self._upgrades.take_over(transport, begun, accepted)
