"""Snapshots where overlayfs is not to be had: the layers copied into one folder.

    FOLDER/rootfs    the copy, which the container changes
    FOLDER/listing   what the copy was like: for each path its inode and time of change
    FOLDER/upper     what was written, as overlayfs would have it; made when it is asked for

It takes the time and space of a copy. The root may be changing, and its owner may be hostile,
while it is looked at: every folder is opened below the root with no link followed.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from sampan.engine.images.extraction import OPAQUE_ATTRIBUTE
from sampan.host import paths
from sampan.host.tree_removal import remove_tree

# What mount(2) says where overlayfs is missing, not allowed, or not possible on this disk.
UNAVAILABLE = (errno.ENODEV, errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20
_OVERLAY_PREFIX = "trusted.overlay."


class _Seen(msgspec.Struct, frozen=True, array_like=True):
    inode: int
    changed: int
    is_folder: bool


def is_copied(folder: Path) -> bool:
    """Whether the snapshot in `folder` is one of these, and complete."""
    return (folder / "listing").exists()


def copy_layers(folder: Path, layers: Sequence[Path]) -> Path:
    """Make the root in `folder` out of `layers`, the topmost first. Blocks. Raises OSError."""
    root, upper = folder / "rootfs", folder / "upper"
    for part in (root, upper):
        if part.exists():
            remove_tree(part)
        part.mkdir(mode=0o755)
    for layer in reversed(layers):
        _copy_layer(layer, root)
    with paths.opened_folder(root) as descriptor:
        listing = {path: _seen(status) for path, status in _walk(descriptor)}
    fresh = folder / "listing.new"
    fresh.write_bytes(msgspec.msgpack.encode(listing))
    fresh.rename(folder / "listing")
    return root


def write_difference(folder: Path) -> Path:
    """Make `upper` anew: what is in the root now and was not, or not so, when it was copied.

    Blocks. Raises OSError.
    """
    before = msgspec.msgpack.decode((folder / "listing").read_bytes(), type=dict[str, _Seen])
    root, upper = folder / "rootfs", folder / "upper"
    remove_tree(upper)
    upper.mkdir(mode=0o755)
    now: set[str] = set()
    with paths.opened_folder(root) as descriptor:
        _describe(os.fstat(descriptor), upper)
        for path, status in _walk(descriptor):
            now.add(path)
            old = before.get(path)
            if old != _seen(status):
                _take(descriptor, path, status, upper)
                if old is not None and stat.S_ISDIR(status.st_mode) and old.inode != status.st_ino:
                    os.setxattr(upper / path, OPAQUE_ATTRIBUTE, b"y")
    for path in sorted(before.keys() - now):
        above = path.rpartition("/")[0]
        # With a folder goes all that was in it.
        if not above or (above in now and (root / above).is_dir()):
            (upper / above).mkdir(parents=True, exist_ok=True)
            os.mknod(upper / path, stat.S_IFCHR, os.makedev(0, 0))
    return upper


def _seen(status: os.stat_result) -> _Seen:
    return _Seen(status.st_ino, status.st_ctime_ns, stat.S_ISDIR(status.st_mode))


def _walk(root: int) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder, folders before what is in them."""
    waiting = [""]
    while waiting:
        above = waiting.pop()
        try:
            folder = paths.open_beneath(root, above or ".", _FOLDER)
        except (FileNotFoundError, NotADirectoryError):
            continue
        try:
            for name in sorted(os.listdir(folder)):
                try:
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                path = f"{above}/{name}" if above else name
                yield path, status
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(path)
        finally:
            os.close(folder)


def _copy_layer(layer: Path, root: Path) -> None:
    """Put a layer, which nobody changes, over what is in the root."""
    links: dict[int, Path] = {}
    folders: list[tuple[os.stat_result, Path]] = []
    with paths.opened_folder(layer) as descriptor:
        folders.append((os.fstat(descriptor), root))
        for path, status in _walk(descriptor):
            target = root / path
            if stat.S_ISDIR(status.st_mode):
                source = layer / path
                if _is_opaque(source):
                    _clear(target)
                if target.is_symlink() or not target.is_dir():
                    _clear(target)
                    target.mkdir()
                folders.append((status, target))
                continue
            _clear(target)
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                continue
            first = links.setdefault(status.st_ino, target)
            if first is not target:
                os.link(first, target, follow_symlinks=False)
            else:
                _take(descriptor, path, status, root)
        for status, target in reversed(folders):
            _describe(status, target)


def _take(root: int, path: str, status: os.stat_result, target_root: Path) -> None:
    """Copy one entry to the same place below another root."""
    target = target_root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        target.mkdir(exist_ok=True)
    elif kind == stat.S_IFREG:
        _copy_file(root, path, target)
    elif kind == stat.S_IFLNK:
        folder, _, name = path.rpartition("/")
        above = paths.open_beneath(root, folder or ".", _FOLDER)
        try:
            os.symlink(os.readlink(name, dir_fd=above), target)
        finally:
            os.close(above)
    elif kind == stat.S_IFSOCK:
        return
    else:
        os.mknod(target, status.st_mode, status.st_rdev)
    _describe(status, target)


def _copy_file(root: int, path: str, target: Path) -> None:
    source = paths.open_beneath(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while os.sendfile(out, source, None, _CHUNK):
                continue
            os.fchown(out, os.fstat(source).st_uid, os.fstat(source).st_gid)
            for name in os.listxattr(source):
                if not name.startswith(_OVERLAY_PREFIX):
                    os.setxattr(out, name, os.getxattr(source, name))
        finally:
            os.close(out)
    finally:
        os.close(source)


def _describe(status: os.stat_result, target: Path) -> None:
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        # chown(2) takes setuid bits away, so the mode comes after it.
        target.chmod(stat.S_IMODE(status.st_mode))
    times = (status.st_atime_ns, status.st_mtime_ns)
    os.utime(target, ns=times, follow_symlinks=False)


def _clear(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except IsADirectoryError:
        remove_tree(path)


def _is_opaque(folder: Path) -> bool:
    try:
        return os.getxattr(folder, OPAQUE_ATTRIBUTE) == b"y"
    except OSError:  # it has no such attribute
        return False
