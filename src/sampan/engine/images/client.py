"""The machine's image store as a node's engine sees it: through the engine's socket."""

import asyncio
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sampan.engine.contract import EngineError, ImageDescription
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.source import AcquiredImage
from sampan.engine.service import frames
from sampan.engine.service.errors import decode_error

_Answer = TypeVar("_Answer")
_ATTEMPTS = 30
_PAUSE = 0.1


class ImageClient:
    """Implements ImageSource over one connection, made anew when the service was restarted.

    Every method may be asked twice without harm, so a lost answer is asked for again.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def describe(self, reference: str) -> ImageDescription:
        return await self._ask("images.describe", ImageDescription, reference=reference)

    async def images(self) -> list[ImageDescription]:
        return await self._ask("images.list", list[ImageDescription])

    async def pull(
        self, reference: str, credentials: tuple[Credentials, ...] = ()
    ) -> ImageDescription:
        # A pull takes long, and a connection answers one question at a time.
        apart = ImageClient(self._socket)
        try:
            return await apart._ask(
                "images.pull",
                ImageDescription,
                reference=reference,
                credentials=msgspec.to_builtins(credentials),
            )
        finally:
            await apart.close()

    async def acquire(self, reference: str, owner: str, container: str) -> AcquiredImage:
        return await self._ask(
            "images.acquire", AcquiredImage, reference=reference, owner=owner, container=container
        )

    async def release(self, owner: str, container: str) -> None:
        await self._ask("images.release", object, owner=owner, container=container)

    async def retain(self, owner: str, containers: tuple[str, ...]) -> None:
        await self._ask("images.retain", object, owner=owner, containers=containers)

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, method: str, kind: type[_Answer], **arguments: Any) -> _Answer:
        question = frames.question(method, arguments)
        async with self._lock:
            for attempt in range(_ATTEMPTS):
                if attempt:
                    await asyncio.sleep(_PAUSE)
                try:
                    return await self._ask_once(question, kind)
                except (OSError, EOFError):
                    await self.close()
        raise EngineError(f"the image service at {self._socket} does not answer")

    async def _ask_once(self, question: bytes, kind: type[_Answer]) -> _Answer:
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(str(self._socket))
        reader, writer = self._streams
        try:
            writer.write(question)
            received, payload = await frames.read_frame(reader)
        except BaseException:
            # Half an answer would be taken for the next one's.
            await self.close()
            raise
        if received == frames.ERROR:
            raise decode_error(payload)
        return msgspec.json.decode(payload, type=kind)
