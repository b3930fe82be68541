"""A folder of blobs at the client's (an OCI layout), through containerd's content service.

Source: containerd's `api/services/content/v1/content.proto`; which of its folders is meant, the
client learns from a header of the call.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from sampan.engine.images.bridge import pieces_of
from sampan.engine.images.documents import Descriptor, digest_of
from sampan.faces.dockerapi.buildkit import grpc
from sampan.faces.dockerapi.buildkit.http2 import Http2Connection
from sampan.foundation.wire import protobuf_fields as protobuf
from sampan.foundation.wire.protobuf_fields import Fields

_SERVICE = "/containerd.services.content.v1.Content"
_STORE = "buildkit-attachable-store-id"
_WRITE, _COMMIT = 1, 2
_EXISTS = 6
_PIECE = 1 << 20


class ClientContent:
    """Implements the engine's CachePlace. `store` is the folder's name at the client; `digest` is
    of the document that leads to the rest, "" when there is none yet."""

    def __init__(self, connection: Http2Connection, store: str, digest: str) -> None:
        self._connection = connection
        self._headers = [(_STORE, store)]
        self._digest = digest

    async def document(self) -> bytes | None:
        if not self._digest:
            return None
        pieces = [piece async for piece in self._read(self._digest)]
        return b"".join(pieces)

    async def blob(self, wanted: Descriptor) -> AsyncIterator[bytes]:
        """Raises CallFailed, ConnectionError."""
        async for piece in self._read(wanted.digest):
            yield piece

    async def _read(self, digest: str) -> AsyncIterator[bytes]:
        call = await grpc.open_call(self._connection, f"{_SERVICE}/Read", self._headers)
        await call.send(protobuf.text(1, digest), end=True)
        async for message in call.messages():
            yield Fields(message).data(2)
        call.check()

    async def put_blob(self, blob: Descriptor, path: Path) -> None:
        """Raises CallFailed, ConnectionError, OSError."""
        await self._put(blob.digest, blob.size, _file(path))

    async def put_document(self, data: bytes, media_type: str) -> None:
        """Clients list it in their index themselves. Raises CallFailed, ConnectionError."""
        del media_type
        await self._put(digest_of(data), len(data), _whole(data))

    async def _put(self, digest: str, size: int, pieces: AsyncIterator[bytes]) -> None:
        call = await grpc.open_call(self._connection, f"{_SERVICE}/Write", self._headers)
        told = protobuf.text(2, digest) + protobuf.integer(3, size) + protobuf.text(4, digest)
        offset = 0
        try:
            # Asked for its state first, a client that has the blob says so.
            await _exchanged(call, told)
            async for piece in pieces:
                await _exchanged(
                    call,
                    protobuf.integer(1, _WRITE)
                    + told
                    + protobuf.integer(5, offset)
                    + protobuf.data(6, piece),
                )
                offset += len(piece)
            await _exchanged(
                call, protobuf.integer(1, _COMMIT) + told + protobuf.integer(5, offset)
            )
            await call.end()
            await call.receive()
        except grpc.CallFailed as error:
            if error.code != _EXISTS:
                raise


async def _exchanged(call: grpc.GrpcStream, request: bytes) -> None:
    """Raises CallFailed when the call has ended instead of being answered."""
    await call.send(request)
    if await call.receive() is None:
        call.check()
        raise grpc.CallFailed(grpc.UNKNOWN, "the client took no more of a blob")


async def _file(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    with file:
        async for piece in pieces_of(iter(lambda: file.read(_PIECE) or None, None)):
            yield piece


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]
