"""Parts of volumes as mount sources, which no container can swap for something else.

A container that shares a volume could put a link that leads out of it into a part's place
between its check and its mount (CVE-2021-25741). So the part is opened once, resolved by the
kernel inside the volume, and what was opened is bound to a place that no container reaches. It
stays there as long as a container is being made, whose own mount outlives it.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sampan.engine.contract import EngineError, NotFound
from sampan.host import mounts, paths
from sampan.host.tree_removal import remove_tree


class VolumeParts:
    def __init__(self, folder: Path) -> None:
        """`folder` is for these alone; what an earlier process left there goes. Raises OSError."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in folder.iterdir():
            _remove(place)

    @contextmanager
    def mounted(self, volume: Path, part: str) -> Iterator[Path]:
        """Where a file or folder of a volume is to be mounted from. Blocks.

        Raises NotFound, EngineError.
        """
        place = self._folder / secrets.token_hex(8)
        try:
            try:
                with (
                    paths.opened_folder(volume) as root,
                    paths.opened_in_root(root, part, os.O_PATH) as opened,
                ):
                    mounts.bind_opened(opened, place)
            except FileNotFoundError as error:
                raise NotFound(f"cannot access path {volume / part}: no such file") from error
            except OSError as error:
                raise EngineError(
                    f"cannot access path {volume / part}: {error.strerror}"
                ) from error
            yield place
        finally:
            _remove(place)


def _remove(place: Path) -> None:
    mounts.unmount_if_mounted(place)
    if place.is_dir():
        remove_tree(place)
    else:
        place.unlink(missing_ok=True)
