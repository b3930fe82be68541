"""The channels of a command, as both protocols that carry them do.

Messages are those of the WebSocket subprotocol v5.channel.k8s.io (KEP-4006): the first byte
names the channel; CLOSE and a channel's byte end that channel.
"""

from typing import Protocol

SUBPROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


class Channels(Protocol):
    """A WebSocket is one."""

    async def receive(self) -> bytes | None:
        """The peer's next message, or None when it has gone."""

    async def send(self, message: bytes) -> None:
        """Raises ConnectionError."""

    async def close(self) -> None: ...
