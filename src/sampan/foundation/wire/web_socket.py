"""WebSockets of either side, as the rooms above see them: messages of bytes.

It must not know what the messages mean.
"""

from aiohttp import ClientWebSocketResponse, WSMsgType, web


class AcceptedWebSocket:
    """The `WebSocket` of `message` over aiohttp's server or client side."""

    def __init__(self, socket: web.WebSocketResponse | ClientWebSocketResponse) -> None:
        self._socket = socket
        self.subprotocol: str | None = (
            socket.ws_protocol if isinstance(socket, web.WebSocketResponse) else socket.protocol
        )

    async def receive(self) -> bytes | None:
        message = await self._socket.receive()
        if message.type is WSMsgType.BINARY:
            return bytes(message.data)
        if message.type is WSMsgType.TEXT:
            return str(message.data).encode()
        return None

    async def send(self, message: bytes) -> None:
        """Raises ConnectionError when the peer is gone."""
        await self._socket.send_bytes(message)

    async def send_text(self, message: bytes) -> None:
        """Raises ConnectionError when the peer is gone."""
        await self._socket.send_str(message.decode())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._socket.close(code=code, message=reason.encode()[:120])
