"""The events of a watch in protobuf, one after another."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from sampan.control.api.protobuf import decoding, envelope
from sampan.control.api.protobuf.messages import META


class Frames:
    """Reads the body of an answer as it comes."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self.body = body
        self.waiting: list[bytes] = []

    async def next(self) -> dict[str, Any]:
        """The next event, as a tree."""
        while not self.waiting:
            piece = await asyncio.wait_for(anext(self.body), 5)
            self.waiting += envelope.events_of(piece)
        return decoding.decode_message(f"{META}WatchEvent", self.waiting.pop(0))
