"""Snapshots: a container's own writable view of its image's layers, by overlayfs.

    FOLDER/upper    what the container wrote
    FOLDER/work     the kernel's
    FOLDER/rootfs   where both appear as one, over the layers

Which image the layers are of is not known here.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from sampan.host import mounts
from sampan.host.tree_removal import remove_tree


def mount_snapshot(folder: Path, layers: Sequence[Path], *, durable: bool = False) -> Path:
    """Show the writable view in `folder` over `layers`, the topmost first. Raises OSError.

    A view that was made before appears with all that was written to it. `durable` makes what
    a program syncs outlive a power cut.
    """
    upper, work, root = folder / "upper", folder / "work", folder / "rootfs"
    if os.path.ismount(root):
        return root
    fresh = not upper.exists()
    for part in (upper, work, root):
        part.mkdir(mode=0o755, exist_ok=True)
    if fresh and layers:
        # The root folder itself is the topmost layer's to describe.
        status = layers[0].stat()
        os.chown(upper, status.st_uid, status.st_gid)
        upper.chmod(status.st_mode & 0o7777)
    if not layers:
        (folder / "empty").mkdir(mode=0o755, exist_ok=True)
        layers = (folder / "empty",)
    if not fresh:
        _forget_volatility(work)
    mounts.mount_overlay(layers, upper, work, root, durable=durable)
    return root


def unmount_snapshot(folder: Path) -> None:
    """Take the view away; what was written stays. No error when it isn't mounted."""
    mounts.unmount_if_mounted(folder / "rootfs")


def remove_snapshot(folder: Path) -> None:
    """Take away the view and all that was written. Raises OSError; no error if it's gone."""
    unmount_snapshot(folder)
    try:
        remove_tree(folder)
    except FileNotFoundError:
        return


def _forget_volatility(work: Path) -> None:
    """Where an earlier view was mounted as volatile the kernel would mount no other.

    Source: the kernel's filesystems/overlayfs, "Volatile mount".
    """
    mark = work / "work" / "incompat"
    if mark.exists():
        remove_tree(mark)
