"""Blobs by their sha256 digest, as files; what is in is complete and has been checked.

The folder is that of an OCI image layout: `blobs/sha256/HEX`. What the blobs mean is not
known here.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sampan.engine.images.documents import InvalidImage, checked_digest, digest_of
from sampan.engine.images.pins import PinSet
from sampan.engine.images.streams import CHUNK, HashingReader, Readable

_ALGORITHM = "sha256"


class BlobStore:
    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs" / _ALGORITHM
        self._incoming = folder / "incoming"
        self._partial = folder / "partial"
        for path in (self._blobs, self._incoming, self._partial):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, digest: str) -> Path:
        """Where the blob is, or would be. Raises InvalidImage for what is no digest."""
        return self._blobs / checked_digest(digest).partition(":")[2]

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def size(self, digest: str) -> int:
        """Raises InvalidImage when it isn't there."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError as error:
            raise InvalidImage(f"blob {digest} is missing") from error

    def read(self, digest: str, limit: int) -> bytes:
        """A small blob. Raises InvalidImage when it isn't there or is too large."""
        try:
            with self.path(digest).open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError as error:
            raise InvalidImage(f"blob {digest} is missing") from error
        if len(data) > limit:
            raise InvalidImage(f"blob {digest} has more than {limit} bytes")
        return data

    def add(self, data: bytes) -> str:
        """Keep a small blob; its digest."""
        digest = digest_of(data)
        if not self.has(digest):
            with self.incoming() as file:
                file.write(data)
                self.keep(file, digest)
        return digest

    def add_stream(
        self, stream: Readable, *, limit: int, pins: PinSet | None = None
    ) -> tuple[str, int]:
        """Keep what comes; its digest, which `pins` get first, and its size.

        Raises InvalidImage.
        """
        reader = HashingReader(stream, limit)
        with self.incoming() as file:
            while piece := reader.read(CHUNK):
                file.write(piece)
            if pins is not None:
                pins.add(reader.digest)
            self.keep(file, reader.digest)
        return reader.digest, reader.size

    @contextmanager
    def incoming(self) -> Iterator[IO[bytes]]:
        """A file to write a blob into; it is gone afterwards unless it was kept."""
        path = self._incoming / secrets.token_hex(8)
        with path.open("xb") as file:
            try:
                yield file
            finally:
                path.unlink(missing_ok=True)

    def keep(self, file: IO[bytes], digest: str) -> None:
        """Make a file from `incoming` the blob of this digest, durably."""
        file.flush()
        os.fsync(file.fileno())
        os.rename(file.name, self.path(digest))

    def digests(self) -> set[str]:
        return {f"{_ALGORITHM}:{path.name}" for path in self._blobs.iterdir()}

    def partial(self, digest: str) -> Path:
        """Where a blob comes into being that may take several tries, over restarts too."""
        return self._partial / checked_digest(digest).partition(":")[2]

    def clear_partial(self, oldest: float) -> None:
        """Remove what nobody has tried to finish since `oldest` (seconds since the epoch)."""
        for path in self._partial.iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def total(self) -> int:
        """The bytes in all blobs."""
        return sum(entry.stat().st_size for entry in os.scandir(self._blobs))

    def discard(self, digest: str) -> Path:
        """Take a blob from its place at once; the path of what is left to be deleted."""
        doomed = self._incoming / secrets.token_hex(8)
        self.path(digest).rename(doomed)
        return doomed

    def clear_incoming(self) -> None:
        """Remove what an interrupted process left."""
        for path in self._incoming.iterdir():
            path.unlink()
