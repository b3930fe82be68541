"""A part of a volume as a mount source, which no container can swap for something else.

A container that can write to a volume could replace the sub-path by a link to the host
between the check and the mount (CVE-2017-1002101, CVE-2021-25741). So the part is opened once,
resolved by the kernel inside the volume, and what was opened is bound to a place that no
container reaches; that place is what the container's mount is made from.
"""

import contextlib
import os
from pathlib import Path

from sampan.host import mounts, paths
from sampan.node.references import MissingReference


def bind_part(volume: Path, part: str, target: Path) -> None:
    """Bind the file or folder `part` of the folder `volume` to `target`.

    A part that isn't there becomes a folder. Raises MissingReference, OSError.
    """
    if part.startswith("/") or ".." in Path(part).parts:
        raise MissingReference(f"subPath {part!r} leads out of its volume")
    with paths.opened_folder(volume) as root:
        try:
            opened = paths.open_in_root(root, part, os.O_PATH)
        except FileNotFoundError:
            _make_folders(root, part)
            opened = paths.open_in_root(root, part, os.O_PATH)
        try:
            target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            mounts.bind_opened(opened, target)
        finally:
            os.close(opened)


def _make_folders(root: int, part: str) -> None:
    """Make each missing folder inside the one before it, never through its name again."""
    folder = os.dup(root)
    try:
        for name in Path(part).parts:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=folder)
            flags = os.O_RDONLY | os.O_DIRECTORY
            below = paths.open_in_root(folder, name, flags)
            os.close(folder)
            folder = below
    finally:
        os.close(folder)
