"""Snapshots: a container's own writable view of its image's layers, by overlayfs.

    FOLDER/upper    what the container wrote
    FOLDER/work     the kernel's
    FOLDER/rootfs   where both appear as one, over the layers
    FOLDER/mapped   layers through the maps of users, only while mounting

Which image the layers are of is not known here.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sampan.engine.snapshots import copied
from sampan.engine.snapshots.size_limit import SizeLimit, limit_folders
from sampan.host import mounts
from sampan.host.identifier_maps import MappedUsers, mount_mapped, outside
from sampan.host.tree_removal import remove_tree

_log = logging.getLogger(__name__)


def is_mounted(folder: Path) -> bool:
    """Whether the view in `folder` can be seen by this process."""
    return os.path.ismount(folder / "rootfs")


def mount_snapshot(
    folder: Path,
    layers: Sequence[Path],
    *,
    durable: bool = False,
    mapped: MappedUsers | None = None,
    limit: SizeLimit | None = None,
) -> Path:
    """Show the writable view in `folder` over `layers`, the topmost first. Raises OSError.

    A view that was made before appears with all that was written to it. `durable` makes what
    a program syncs outlive a power cut. With `mapped` users the layers' files appear as
    theirs; what is written lies on the disk as theirs, too. A `limit` is for all that will ever
    be written, from a view's first time on.
    """
    upper, work, root = folder / "upper", folder / "work", folder / "rootfs"
    if is_mounted(folder) or copied.is_copied(folder):
        return root
    fresh = not upper.exists()
    for part in (upper, work, root):
        part.mkdir(mode=0o755, exist_ok=True)
    if fresh and layers:
        # The root folder itself is the topmost layer's to describe.
        status = layers[0].stat()
        users, groups = (mapped.users, mapped.groups) if mapped else ((), ())
        os.chown(upper, outside(users, status.st_uid), outside(groups, status.st_gid))
        upper.chmod(status.st_mode & 0o7777)
    if fresh and limit is not None:
        limit_folders((upper, work), limit)
    if not layers:
        (folder / "empty").mkdir(mode=0o755, exist_ok=True)
        layers = (folder / "empty",)
    if not fresh:
        _forget_volatility(work)
    if mapped is None:
        return _overlay_or_copy(folder, layers, durable=durable, may_copy=limit is None)
    with _mapped_layers(folder / "mapped", layers, mapped) as shown:
        mounts.mount_overlay(shown, upper, work, root, durable=durable)
    return root


def _overlay_or_copy(
    folder: Path, layers: Sequence[Path], *, durable: bool, may_copy: bool
) -> Path:
    """A copy of the layers would be counted for a limit as if it had been written."""
    upper, work, root = folder / "upper", folder / "work", folder / "rootfs"
    try:
        mounts.mount_overlay(layers, upper, work, root, durable=durable)
    except OSError as error:
        if error.errno not in copied.UNAVAILABLE or not may_copy or any(upper.iterdir()):
            raise
        _log.warning("overlayfs is not to be had, layers are copied: %s", error)
        return copied.copy_layers(folder, layers)
    return root


def written_folder(folder: Path) -> Path:
    """What was written to the view in `folder`, as overlayfs keeps it. Blocks where the view is
    a copy. Raises OSError."""
    return copied.write_difference(folder) if copied.is_copied(folder) else folder / "upper"


@contextmanager
def _mapped_layers(
    aside: Path, layers: Sequence[Path], mapped: MappedUsers
) -> Iterator[list[Path]]:
    """The layers through maps; a view keeps them when these mounts are gone."""
    targets = [aside / str(number) for number in range(len(layers))]
    try:
        for layer, target in zip(layers, targets, strict=True):
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            mount_mapped(layer, target, mapped.namespace)
        yield targets
    finally:
        for target in targets:
            mounts.unmount_if_mounted(target)
        remove_tree(aside)


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
