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

from sampan.engine.build.mount_points import drop_copies
from sampan.engine.images import adding
from sampan.engine.images.documents import Descriptor
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.pins import PinSet
from sampan.engine.images.store import ImageStore
from sampan.engine.snapshots import overlay


class View(msgspec.Struct, frozen=True):
    """`root` shows the layers (`lower`, the topmost first) with what was written on top, `upper`
    only the latter. `touched` are folders that may have been copied up without a change."""

    folder: Path
    root: Path
    lower: tuple[Path, ...]
    touched: list[str] = []

    @property
    def upper(self) -> Path:
        return self.folder / "upper"


class Workspace:
    def __init__(self, folder: Path, store: ImageStore, pins: PinSet) -> None:
        self._folder = folder
        self._store = store
        self._pins = pins

    @asynccontextmanager
    async def scratch(self) -> AsyncIterator[Path]:
        """An empty folder of one's own, for a `with` block."""
        folder = self._folder / secrets.token_hex(8)
        folder.mkdir(parents=True, mode=0o700)
        try:
            yield folder
        finally:
            await asyncio.to_thread(overlay.remove_snapshot, folder)

    @asynccontextmanager
    async def view(self, diff_ids: Sequence[str]) -> AsyncIterator[View]:
        """A writable view over unpacked layers, from the bottom up, for a `with` block."""
        async with self.over(self._store.layers.folders(diff_ids)) as view:
            yield view

    @asynccontextmanager
    async def over(self, folders: Sequence[Path]) -> AsyncIterator[View]:
        """The same over any folders, the topmost first."""
        async with self.scratch() as folder:
            yield View(folder, overlay.mount_snapshot(folder, folders), tuple(folders))

    async def keep(self, view: View, latest: int | None) -> Descriptor | None:
        """Make a blob of what was written; None when nothing was.

        Raises InvalidImage, OSError.
        """
        overlay.unmount_snapshot(view.folder)
        await asyncio.to_thread(overlay.written_folder, view.folder)
        drop_copies(view.upper, view.lower, view.touched)
        if not any(view.upper.iterdir()):
            return None
        return await asyncio.to_thread(
            adding.layer_of_changes, self._store, view.upper, self._pins, latest
        )

    async def unpack(self, diff_ids: Sequence[str]) -> None:
        """Have a step's layer unpacked and kept; those below it are. Raises OSError."""
        self._pins.add(*diff_ids, *chain_identifiers(diff_ids))
        # The blobs of our own layers are uncompressed: they are named by their diff_ids.
        await self._store.unpack_layer(diff_ids, diff_ids[-1])


def clear_workspaces(folder: Path) -> None:
    """Remove what an interrupted process left. Raises OSError."""
    if folder.is_dir():
        for path in folder.iterdir():
            overlay.remove_snapshot(path)
