"""Unpacked layers, each once for the whole machine, shared by every container.

A layer is unpacked under the chain identifier of itself and all below it, since folders that
its archive doesn't name look as they do below (OCI image specification, "Layer ChainID").
A layer that has its place is complete: it was unpacked elsewhere and renamed.
"""

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from sampan.engine.images.blobs import BlobStore
from sampan.engine.images.documents import InvalidImage
from sampan.engine.images.extraction import extract_layer
from sampan.engine.images.streams import decompressed
from sampan.host import paths
from sampan.host.tree_removal import remove_tree

_SIZE = "size"


def chain_identifiers(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """For each layer from the bottom up, the identifier of it and all below it."""
    chain: list[str] = []
    for diff_id in diff_ids:
        text = f"{chain[-1]} {diff_id}" if chain else ""
        digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest() if text else diff_id
        chain.append(digest)
    return tuple(chain)


class LayerStore:
    def __init__(self, folder: Path, blobs: BlobStore) -> None:
        self._layers = folder / "layers"
        self._unfinished = folder / "unfinished"
        self._blobs = blobs
        for path in (self._layers, self._unfinished):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, chain_identifier: str) -> Path:
        """The folder that is a lower layer."""
        return self._layers / chain_identifier.partition(":")[2] / "fs"

    def folders(self, diff_ids: Sequence[str]) -> tuple[Path, ...]:
        """The folders of an image's layers, the topmost first, as overlayfs names them."""
        return tuple(self.path(chain) for chain in reversed(chain_identifiers(diff_ids)))

    def is_unpacked(self, chain_identifier: str) -> bool:
        return self.path(chain_identifier).is_dir()

    def are_unpacked(self, diff_ids: Sequence[str]) -> bool:
        return all(folder.is_dir() for folder in self.folders(diff_ids))

    def size(self, chain_identifier: str) -> int:
        """The bytes in the files of one layer; 0 as long as it isn't unpacked."""
        try:
            return int((self.path(chain_identifier).parent / _SIZE).read_text())
        except FileNotFoundError:
            return 0

    def unpack(
        self,
        chain: Sequence[str],
        diff_id: str,
        blob: str,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Unpack the last layer of a chain over those below it, which are unpacked.

        `progress` is told how much of the blob has been read. Blocks: call it in a thread.
        Raises InvalidImage, OSError.
        """
        folder = self._unfinished / secrets.token_hex(8)
        root = folder / "fs"
        root.mkdir(parents=True, mode=0o755)
        below = [self.path(lower) for lower in reversed(chain[:-1])]
        try:
            with self._blobs.path(blob).open("rb") as file:
                stream = decompressed(file, progress)
                size = extract_layer(stream, root, below)
            if stream.digest != diff_id:
                raise InvalidImage(f"a layer unpacks to {stream.digest}, not to {diff_id}")
            (folder / _SIZE).write_text(str(size))
            with paths.opened_folder(folder) as descriptor:
                paths.sync_filesystem(descriptor)
            folder.rename(self.path(chain[-1]).parent)
        finally:
            with contextlib.suppress(OSError):  # gone when all went well; else cleared later
                remove_tree(folder)

    def chains(self) -> set[str]:
        return {f"sha256:{path.name}" for path in self._layers.iterdir()}

    def discard(self, chain_identifier: str) -> Path:
        """Take a layer from its place at once; the path of what is left to be deleted."""
        doomed = self._unfinished / secrets.token_hex(8)
        self.path(chain_identifier).parent.rename(doomed)
        return doomed

    def clear_unfinished(self) -> None:
        """Remove what an interrupted process left."""
        for path in self._unfinished.iterdir():
            remove_tree(path)
