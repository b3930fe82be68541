"""Snapshots: a container's own writable view of its image's layers, by overlayfs.

    FOLDER/upper    what the container wrote
    FOLDER/work     the kernel's
    FOLDER/rootfs   where both appear as one, over the layers

Which image the layers are of is not known here.
"""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from sampan.host import mounts
from sampan.host.tree_removal import remove_tree


def mount_snapshot(folder: Path, layers: Sequence[Path]) -> Path:
    """Make the writable view in `folder` over `layers`, the topmost first. Raises OSError."""
    upper, work, root = folder / "upper", folder / "work", folder / "rootfs"
    for part in (upper, work, root):
        part.mkdir(mode=0o755)
    if layers:
        # The root folder itself is the topmost layer's to describe.
        status = layers[0].stat()
        os.chown(upper, status.st_uid, status.st_gid)
        upper.chmod(status.st_mode & 0o7777)
    else:
        (folder / "empty").mkdir(mode=0o755)
        layers = (folder / "empty",)
    mounts.mount_overlay(layers, upper, work, root)
    return root


def unmount_snapshot(folder: Path) -> None:
    """Take the view away; what was written stays. No error when it isn't mounted."""
    try:
        mounts.unmount(folder / "rootfs", lazily=True)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def remove_snapshot(folder: Path) -> None:
    """Take away the view and all that was written. Raises OSError; no error if it's gone."""
    unmount_snapshot(folder)
    try:
        remove_tree(folder)
    except FileNotFoundError:
        return
