"""Bodies that are streams, in both directions."""

from collections.abc import AsyncIterator

from sampan.faces.dockerapi.call import Call
from sampan.foundation.wire.message import let_go


async def pieces(call: Call) -> AsyncIterator[bytes]:
    """What a client uploads, as it comes. Raises ConnectionError."""
    flow = call.request.pieces()
    if flow is not None:
        async for piece in flow:
            yield piece


class Begun(AsyncIterator[bytes]):
    """A stream whose first piece is there: what fails at its start is known before the answer."""

    def __init__(self, first: bytes | None, rest: AsyncIterator[bytes]) -> None:
        self._first = first
        self._rest = rest

    async def __anext__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return await anext(self._rest)

    async def aclose(self) -> None:
        await let_go(self._rest)


async def begun(stream: AsyncIterator[bytes]) -> Begun:
    """Raises what the stream raises at its start."""
    return Begun(await anext(stream, None), stream)
