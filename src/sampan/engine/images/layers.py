"""Unpacked layers, each once for the whole machine, shared by every container.

A layer is unpacked under the chain identifier of itself and all below it, since folders that
its archive doesn't name look as they do below (OCI image specification, "Layer ChainID").
A layer that has its place is complete: it was unpacked elsewhere and renamed.
"""

import contextlib
import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path

from sampan.engine.images.blobs import BlobStore
from sampan.engine.images.documents import InvalidImage
from sampan.engine.images.extraction import extract_layer
from sampan.engine.images.streams import decompressed
from sampan.host import paths
from sampan.host.tree_removal import remove_tree


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

    def are_unpacked(self, diff_ids: Sequence[str]) -> bool:
        return all(folder.is_dir() for folder in self.folders(diff_ids))

    def unpack(self, diff_ids: Sequence[str], blobs: Sequence[str]) -> None:
        """Unpack every layer that isn't yet; `blobs` are the layers' blobs in the same order.

        Blocks: call it in a thread. Raises InvalidImage, OSError.
        """
        if len(diff_ids) != len(blobs):
            raise InvalidImage("the configuration and the manifest name different layers")
        chain = chain_identifiers(diff_ids)
        for number, (identifier, diff_id, blob) in enumerate(
            zip(chain, diff_ids, blobs, strict=True)
        ):
            if not self.path(identifier).is_dir():
                below = [self.path(lower) for lower in reversed(chain[:number])]
                self._unpack_one(identifier, diff_id, blob, below)

    def _unpack_one(self, identifier: str, diff_id: str, blob: str, below: Sequence[Path]) -> None:
        folder = self._unfinished / secrets.token_hex(8)
        root = folder / "fs"
        root.mkdir(parents=True, mode=0o755)
        try:
            path = self._blobs.path(blob)
            with path.open("rb") as file:
                stream = decompressed(file, path.stat().st_size)
                extract_layer(stream, root, below)
            if stream.digest != diff_id:
                raise InvalidImage(f"a layer unpacks to {stream.digest}, not to {diff_id}")
            with paths.opened_folder(folder) as descriptor:
                paths.sync_filesystem(descriptor)
            folder.rename(self.path(identifier).parent)
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
