"""The two ends of a connection in memory."""

import asyncio


class Pipe:
    """One end: a ByteStream. The writer waits while the other end has much to read."""

    def __init__(self, incoming: "asyncio.Queue[bytes]", outgoing: "asyncio.Queue[bytes]") -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    async def read(self) -> bytes:
        return await self._incoming.get()

    async def write(self, data: bytes) -> None:
        await self._outgoing.put(data)


def ends() -> tuple[Pipe, Pipe]:
    one: asyncio.Queue[bytes] = asyncio.Queue(16)
    other: asyncio.Queue[bytes] = asyncio.Queue(16)
    return Pipe(one, other), Pipe(other, one)
