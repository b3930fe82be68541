"""Where a build's cache lies that isn't this machine's: one document, and blobs by their digests.

Implemented by repositories of registries and by folders of clients.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from sampan.engine.images.documents import Descriptor


class CachePlace(Protocol):
    async def document(self) -> bytes | None:
        """What leads to the rest; None when nothing is there. Raises EngineError."""

    def blob(self, wanted: Descriptor) -> AsyncIterator[bytes]:
        """What is there, unchecked. Raises EngineError."""

    async def put_blob(self, blob: Descriptor, path: Path) -> None:
        """Bring a blob out of a file; it may be there already. Raises EngineError, OSError."""

    async def put_document(self, data: bytes, media_type: str) -> None:
        """Let this document lead to what has been put. Raises EngineError."""
