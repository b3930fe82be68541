"""One UDP port whose datagrams are passed on to a target, and its answers back.

Each source has a socket of its own towards the target while it speaks, so that answers find
their way; how many there are is bounded.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import cast

MOST_CONVERSATIONS = 1024
_MOST_WAITING = 16
_IDLE_SECONDS = 90.0
_log = logging.getLogger(__name__)
Target = tuple[str, int]
Source = tuple[str, int]


class DatagramRelay(asyncio.DatagramProtocol):
    """Of one UDP port: a socket of its own towards the target for each source, while it speaks."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._transport: asyncio.DatagramTransport | None = None
        self._conversations: dict[Source, _Conversation] = {}
        self._opening: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(cls, own: socket.socket, target: Target) -> "DatagramRelay":
        """On a bound socket, which is the relay's from then on."""
        loop = asyncio.get_running_loop()
        _, relay = await loop.create_datagram_endpoint(lambda: cls(target), sock=own)
        return relay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        source = cast(Source, addr)
        conversation = self._conversations.get(source)
        if conversation is not None:
            conversation.send(data)
        elif len(self._conversations) < MOST_CONVERSATIONS:
            conversation = _Conversation(lambda answer: self._answer(source, answer))
            conversation.ended = lambda: self._conversations.pop(source, None)
            conversation.send(data)
            self._conversations[source] = conversation
            task = asyncio.get_running_loop().create_task(self._open(conversation))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, conversation: "_Conversation") -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: conversation, remote_addr=self._target)
        except OSError as problem:
            _log.debug("a datagram was not passed on: %s", problem)
            conversation.close()

    def _answer(self, source: Source, data: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(data, source)

    def error_received(self, exc: Exception) -> None:
        _log.debug("a client of a port is gone: %s", exc)

    def close(self) -> None:
        for task in self._opening:
            task.cancel()
        for conversation in list(self._conversations.values()):
            conversation.close()
        if self._transport is not None:
            self._transport.close()


class _Conversation(asyncio.DatagramProtocol):
    """What one source says to the target and hears from it, until both are silent for a while."""

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        self.ended: Callable[[], object] = lambda: None
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None
        self._first: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._spoke = 0.0

    def send(self, data: bytes) -> None:
        self._spoke = asyncio.get_running_loop().time()
        if self._transport is not None:
            self._transport.sendto(data)
        elif len(self._first) < _MOST_WAITING:
            self._first.append(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        for data in self._first:
            self._transport.sendto(data)
        self._first.clear()
        self._look_later(_IDLE_SECONDS)

    def _look_later(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        silent = asyncio.get_running_loop().time() - self._spoke
        if silent >= _IDLE_SECONDS:
            self.close()
        else:
            self._look_later(_IDLE_SECONDS - silent)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        self._spoke = asyncio.get_running_loop().time()
        self._answer(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there; the next datagram tries anew."""
        self.close()

    def close(self) -> None:
        self.ended()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()
