"""Where a step's files come into being: a writable view over the layers so far.

What was written becomes a layer in the image store. Workspaces of an interrupted build are
cleared away by the next process.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from sampan.engine.images.documents import LAYER_TYPE, Descriptor, ImageConfiguration
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.pins import PinSet
from sampan.engine.images.store import ImageStore
from sampan.engine.images.streams import CHUNK, HashingReader
from sampan.engine.snapshots import overlay
from sampan.engine.snapshots.changeset import write_changeset


class View(msgspec.Struct, frozen=True):
    """`root` shows the layers with what was written on top, `upper` only the latter."""

    folder: Path
    root: Path

    @property
    def upper(self) -> Path:
        return self.folder / "upper"


class Workspace:
    def __init__(self, folder: Path, store: ImageStore, pins: PinSet) -> None:
        self._folder = folder
        self._store = store
        self._pins = pins

    @asynccontextmanager
    async def view(self, diff_ids: Sequence[str]) -> AsyncIterator[View]:
        """A writable view over unpacked layers, from the bottom up, for a `with` block."""
        folder = self._folder / secrets.token_hex(8)
        folder.mkdir(parents=True, mode=0o700)
        try:
            root = overlay.mount_snapshot(folder, self._store.layers.folders(diff_ids))
            yield View(folder, root)
        finally:
            overlay.unmount_snapshot(folder)
            await asyncio.to_thread(overlay.remove_snapshot, folder)

    async def keep(self, view: View, latest: int | None) -> Descriptor | None:
        """Make a blob of what was written; None when nothing was.

        Raises InvalidImage, OSError.
        """
        overlay.unmount_snapshot(view.folder)
        if not any(view.upper.iterdir()):
            return None
        return await asyncio.to_thread(self._archive, view, latest)

    async def unpack(self, diff_ids: Sequence[str]) -> None:
        """Have a step's layer unpacked and kept; those below it are. Raises OSError."""
        self._pins.add(*diff_ids, *chain_identifiers(diff_ids))
        # The blobs of our own layers are uncompressed; those below are not looked at.
        await self._store.unpack_layers(diff_ids, diff_ids)

    async def keep_image(
        self, configuration: ImageConfiguration, layers: Sequence[Descriptor]
    ) -> str:
        """Keep the documents of the finished image; its manifest's digest. Raises OSError."""
        return await asyncio.to_thread(self._store.add_manifest, configuration, layers, self._pins)

    def _archive(self, view: View, latest: int | None) -> Descriptor:
        blobs = self._store.blobs
        with blobs.incoming() as file:
            write_changeset(view.upper, file, latest)
            file.flush()
            with Path(file.name).open("rb") as written:
                reader = HashingReader(written)
                while reader.read(CHUNK):
                    continue
            self._pins.add(reader.digest)
            blobs.keep(file, reader.digest)
        return Descriptor(media_type=LAYER_TYPE, digest=reader.digest, size=reader.size)


def clear_workspaces(folder: Path) -> None:
    """Remove what an interrupted process left. Raises OSError."""
    if folder.is_dir():
        for path in folder.iterdir():
            overlay.remove_snapshot(path)
