"""One tag of a repository as a place for documents and blobs that are no image."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from sampan.engine.images.documents import INDEX_TYPES, MANIFEST_TYPES, Descriptor
from sampan.engine.images.registry.blob_upload import BlobUpload
from sampan.engine.images.registry.connection import RegistryConnection
from sampan.engine.images.registry.manifests import read_bounded
from sampan.engine.images.registry.refusals import RegistryUnreachable

_ACCEPTED = ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))


class RegistryRepository:
    """Use `Registries.repository`."""

    def __init__(self, connection: RegistryConnection, tag: str) -> None:
        self._connection = connection
        self._tag = tag

    async def document(self) -> bytes | None:
        """What the tag leads to; None when the registry has none. Raises RegistryRefusal,
        RegistryUnreachable, InvalidImage."""
        url = self._connection.url(f"manifests/{self._tag}")
        headers = {"Accept": _ACCEPTED}
        async with self._connection.request(
            "GET", url, headers=headers, expected=(200, 404)
        ) as answer:
            if answer.status != 200:
                return None
            return await read_bounded(answer.content.iter_any())

    async def blob(self, wanted: Descriptor) -> AsyncIterator[bytes]:
        """Unchecked. Raises RegistryRefusal, RegistryUnreachable."""
        url = self._connection.url(f"blobs/{wanted.digest}")
        try:
            async with self._connection.request("GET", url) as answer:
                async for piece in answer.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RegistryUnreachable(f"the registry can't be reached: {error}") from error

    async def put_blob(self, blob: Descriptor, path: Path) -> None:
        """Raises RegistryRefusal, RegistryUnreachable, OSError."""
        await BlobUpload(self._connection, blob, path, "", _untold).run()

    async def put_document(self, data: bytes, media_type: str) -> None:
        """Let the tag lead to it. Raises RegistryRefusal, RegistryUnreachable."""
        url = self._connection.url(f"manifests/{self._tag}")
        async with self._connection.request(
            "PUT",
            url,
            headers={"Content-Type": media_type},
            body=lambda: data,
            expected=(200, 201, 202),
        ):
            return


def _untold(_status: str, _current: int, _total: int) -> None:
    """Nobody asked to be told."""
