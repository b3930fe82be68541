"""A blob on its way from a registry: a file that grows, and the hash of what it holds.

What an interrupted try has left is taken up by the next. All of it blocks, for as long as it
takes to write or hash a piece: call it in a thread.
"""

import hashlib
import os
from pathlib import Path

from sampan.engine.images.blobs import BlobStore
from sampan.engine.images.documents import Descriptor, InvalidImage
from sampan.engine.images.pins import PinSet
from sampan.engine.images.streams import CHUNK


class PartialBlob:
    def __init__(self, blobs: BlobStore, wanted: Descriptor) -> None:
        """Raises OSError, InvalidImage for what is no digest."""
        self._blobs = blobs
        self._wanted = wanted
        self._path: Path = blobs.partial(wanted.digest)
        self._file = self._path.open("ab+", buffering=0)
        self._hash = hashlib.sha256()
        self.size = 0
        self._file.seek(0)
        while piece := self._file.read(CHUNK):
            self._hash.update(piece)
            self.size += len(piece)
        if self.size > wanted.size:
            self.restart()

    def write(self, pieces: list[bytes]) -> None:
        """Raises InvalidImage when there is more than the blob can have, OSError."""
        for piece in pieces:
            self.size += len(piece)
            if self.size > self._wanted.size:
                self.discard()
                raise InvalidImage(
                    f"blob {self._wanted.digest} has more than {self._wanted.size} bytes"
                )
            self._hash.update(piece)
            view = memoryview(piece)
            while view:
                view = view[self._file.write(view) or 0 :]

    def restart(self) -> None:
        """Forget what came: the registry sends the whole again."""
        self._file.truncate(0)
        self._hash = hashlib.sha256()
        self.size = 0

    def finish(self, pins: PinSet) -> None:
        """Make it a blob of the store, durably.

        Raises InvalidImage when it is not what was wanted; nothing of it is kept then.
        """
        digest = "sha256:" + self._hash.hexdigest()
        if digest != self._wanted.digest:
            self.discard()
            raise InvalidImage(
                f"filesystem layer verification failed for digest {self._wanted.digest}: "
                f"what came has the digest {digest}"
            )
        pins.add(digest)
        os.fsync(self._file.fileno())
        os.rename(self._path, self._blobs.path(digest))
        self.close()

    def discard(self) -> None:
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """What came stays for the next try."""
        self._file.close()
