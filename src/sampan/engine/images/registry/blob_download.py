"""Bringing one blob from a registry: resumed where it broke off, checked as it comes."""

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

import aiohttp

from sampan.engine.images.blobs import BlobStore
from sampan.engine.images.documents import Descriptor, InvalidImage
from sampan.engine.images.keyed_locks import KeyedLocks
from sampan.engine.images.pins import PinSet
from sampan.engine.images.registry.connection import RegistryConnection
from sampan.engine.images.registry.partial_blob import PartialBlob
from sampan.engine.images.registry.refusals import RegistryRefusal, RegistryUnreachable

_TRIES = 6
_FIRST_PAUSE = 0.25
_WRITE_SIZE = 1 << 20
_START = re.compile(r"bytes (\d+)-")
_BUSY_STATUS = (408, 429, 500, 502, 503, 504)

Tell = Callable[[str, int, int], None]


class Sleep(Protocol):
    async def __call__(self, seconds: float, /) -> None: ...


class BlobDownloads:
    """A blob that several pulls want at once is brought once."""

    def __init__(self, blobs: BlobStore, sleep: Sleep = asyncio.sleep) -> None:
        self._blobs = blobs
        self._sleep = sleep
        self._locks = KeyedLocks()

    async def fetch(
        self, connection: RegistryConnection, wanted: Descriptor, pins: PinSet, tell: Tell
    ) -> None:
        """Have a blob in the store. `tell` gets a status and how much of it has come.

        Raises RegistryRefusal, RegistryUnreachable, InvalidImage, OSError.
        """
        pins.add(wanted.digest)
        async with self._locks.held(wanted.digest):
            if self._blobs.has(wanted.digest):
                return
            partial = await asyncio.to_thread(PartialBlob, self._blobs, wanted)
            try:
                await self._complete(connection, wanted, partial, tell)
                tell("Verifying Checksum", 0, 0)
                await asyncio.to_thread(partial.finish, pins)
            finally:
                partial.close()

    async def _complete(
        self, connection: RegistryConnection, wanted: Descriptor, partial: PartialBlob, tell: Tell
    ) -> None:
        """Ask again for what is missing, as long as something comes or tries are left."""
        tries = 0
        while partial.size < wanted.size:
            before = partial.size
            try:
                await _receive(connection, wanted, partial, tell)
                trouble = "it ended too early"
            except (aiohttp.ClientError, TimeoutError) as error:
                trouble = str(error) or type(error).__name__
            except RegistryRefusal as error:
                if error.status not in _BUSY_STATUS:
                    raise
                trouble = str(error)
            if partial.size >= wanted.size:
                return
            tries = 1 if partial.size > before else tries + 1
            if tries >= _TRIES:
                raise RegistryUnreachable(f"blob {wanted.digest} can't be brought: {trouble}")
            tell(f"Retrying in {max(1, 2 ** (tries - 2)):.0f} second", 0, 0)
            await self._sleep(_FIRST_PAUSE * 2**tries)


async def _receive(
    connection: RegistryConnection, wanted: Descriptor, partial: PartialBlob, tell: Tell
) -> None:
    headers = {"Range": f"bytes={partial.size}-"} if partial.size else {}
    url = connection.url(f"blobs/{wanted.digest}")
    async with connection.request("GET", url, headers=headers, expected=(200, 206, 416)) as answer:
        if not _continues(answer, partial.size):
            partial.restart()
        if answer.status == 416:
            return
        if answer.content_length not in (None, wanted.size - partial.size):
            partial.discard()
            raise InvalidImage(
                f"blob {wanted.digest} has {answer.content_length} bytes, not {wanted.size}"
            )
        pieces: list[bytes] = []
        waiting = 0
        try:
            async for piece in answer.content.iter_any():
                pieces.append(piece)
                waiting += len(piece)
                if waiting >= _WRITE_SIZE:
                    await asyncio.to_thread(partial.write, pieces)
                    pieces, waiting = [], 0
                    tell("Downloading", partial.size, wanted.size)
        finally:
            # What came before the line broke need not come again.
            partial.write(pieces)
        tell("Downloading", partial.size, wanted.size)


def _continues(answer: aiohttp.ClientResponse, size: int) -> bool:
    """Whether what comes begins where we are."""
    if answer.status != 206:
        return size == 0
    start = _START.match(answer.headers.get("Content-Range", ""))
    return start is not None and int(start.group(1)) == size
