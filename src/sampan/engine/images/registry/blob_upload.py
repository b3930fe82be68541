"""Taking one blob to a registry: not at all if it is there, mounted, whole, or in pieces.

Source: OCI distribution specification 1.1, "Pushing Blobs". A piece that broke off is asked
for again from where the registry says it has got to.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlencode, urljoin

import aiohttp

from sampan.engine.contract import EngineError
from sampan.engine.images.documents import Descriptor
from sampan.engine.images.registry.connection import RegistryConnection
from sampan.engine.images.registry.refusals import RegistryUnreachable

_WHOLE = 16 << 20
_PIECE = 64 << 20
_READ = 1 << 20
_TRIES = 5
_FIRST_PAUSE = 0.25
_BINARY = "application/octet-stream"
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")

Tell = Callable[[str, int, int], None]


class BlobUpload:
    """`source` is another repository of the same registry that may have the blob, or ""."""

    def __init__(
        self, connection: RegistryConnection, blob: Descriptor, path: Path, source: str, tell: Tell
    ) -> None:
        self._connection = connection
        self._blob = blob
        self._path = path
        self._source = source
        self._tell = tell

    async def run(self) -> str:
        """How it came there: `Layer already exists`, `Mounted from x` or `Pushed`.

        Raises RegistryRefusal, RegistryUnreachable, OSError.
        """
        if await self._is_there():
            return "Layer already exists"
        location, is_mounted = await self._begin()
        if is_mounted:
            return f"Mounted from {self._source}"
        if self._blob.size <= _WHOLE:
            await self._finish(location, 0)
        else:
            location = await self._send_pieces(location)
            await self._finish(location, self._blob.size)
        return "Pushed"

    async def _is_there(self) -> bool:
        url = self._connection.url(f"blobs/{self._blob.digest}")
        async with self._connection.request("HEAD", url, expected=(200, 404)) as answer:
            return answer.status == 200

    async def _begin(self) -> tuple[str, bool]:
        """Where to send it to, and whether the registry has taken it from elsewhere already."""
        path = "blobs/uploads/"
        if self._source:
            path += "?" + urlencode({"mount": self._blob.digest, "from": self._source})
        url = self._connection.url(path)
        async with self._connection.request("POST", url, expected=(201, 202)) as answer:
            return _location(answer, url), answer.status == 201

    async def _finish(self, location: str, sent: int) -> None:
        """Send what is left in one request and tell the digest."""
        joined = "&" if "?" in location else "?"
        url = f"{location}{joined}{urlencode({'digest': self._blob.digest})}"
        headers = {"Content-Length": str(self._blob.size - sent), "Content-Type": _BINARY}
        async with self._connection.request(
            "PUT",
            url,
            headers=headers,
            body=lambda: self._content(sent, self._blob.size),
            expected=(201, 204),
        ):
            return

    async def _send_pieces(self, location: str) -> str:
        sent, tries = 0, 0
        while sent < self._blob.size:
            end = min(sent + _PIECE, self._blob.size)
            try:
                location = await self._send_piece(location, sent, end)
                sent, tries = end, 0
            except (aiohttp.ClientError, TimeoutError) as error:
                tries += 1
                if tries >= _TRIES:
                    raise RegistryUnreachable(
                        f"blob {self._blob.digest} can't be pushed: {error}"
                    ) from error
                await asyncio.sleep(_FIRST_PAUSE * 2**tries)
                location, sent = await self._progress_there(location)
        return location

    async def _send_piece(self, location: str, start: int, end: int) -> str:
        headers = {
            "Content-Length": str(end - start),
            "Content-Range": f"{start}-{end - 1}",
            "Content-Type": _BINARY,
        }
        async with self._connection.request(
            "PATCH",
            location,
            headers=headers,
            body=lambda: self._content(start, end),
            expected=(202, 204),
        ) as answer:
            return _location(answer, location)

    async def _progress_there(self, location: str) -> tuple[str, int]:
        """How far the registry has got with an upload that broke off."""
        async with self._connection.request("GET", location, expected=(200, 202, 204)) as answer:
            there = _RANGE.fullmatch(answer.headers.get("Range", ""))
            last = int(there.group(1)) if there else 0
            return _location(answer, location), last + 1 if last else 0

    async def _content(self, start: int, end: int) -> AsyncIterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(start)
            position = start
            while position < end:
                piece = await asyncio.to_thread(file.read, min(_READ, end - position))
                if not piece:
                    raise EngineError(f"blob {self._blob.digest} is cut short")
                position += len(piece)
                yield piece
                self._tell("Pushing", position, self._blob.size)


def _location(answer: aiohttp.ClientResponse, url: str) -> str:
    return urljoin(url, answer.headers.get("Location", url))
