"""The messages of a WebSocket as one stream of bytes, for protocols that are tunnelled in it."""

from sampan.foundation.wire.message import WebSocket


class MessageStream:
    """A ByteStream. Where messages begin and end has no meaning."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        """The next bytes, empty when the peer has closed."""
        while (message := await self._socket.receive()) is not None:
            if message:
                return message
        return b""

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError."""
        await self._socket.send(data)
