"""A layer's archive from what was written over the layers below it.

An overlayfs upper folder goes in; a deterministic tar stream comes out: sorted, numeric
owners, pax headers, whiteouts as the OCI image specification names them.
"""

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from sampan.engine.images.documents import InvalidImage
from sampan.engine.images.extraction import OPAQUE_ATTRIBUTE, OPAQUE_MARKER, WHITEOUT_PREFIX
from sampan.host.identifier_maps import UNMAPPED, OwnerMaps

_KEPT_ATTRIBUTES = ("security.capability",)
_USER_ATTRIBUTES = "user."
# The runtime makes these to mount upon.
_MOUNT_POINTS = ("dev", "proc", "sys")


def write_changeset(
    upper: Path, file: IO[bytes], latest: int | None, owners: OwnerMaps = UNMAPPED
) -> None:
    """Write the archive; no time in it is later than `latest` (seconds). Blocks.

    `owners` are those of the user namespace in which it was written.

    Raises InvalidImage for a device node, OSError.
    """
    seen: dict[tuple[int, int], str] = {}
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path, status in _changed(upper):
            name = str(path.relative_to(upper))
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                archive.addfile(_empty(_whiteout_name(name)))
                continue
            header = _header(path, name, status, seen, latest)
            header.uid, header.gid = owners.inside(header.uid, header.gid)
            if header.isreg():
                with path.open("rb") as content:
                    archive.addfile(header, content)
            else:
                archive.addfile(header)
            if header.isdir() and _is_opaque(path):
                archive.addfile(_empty(f"{name}/{OPAQUE_MARKER}"))


def _changed(upper: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path, status in _below(upper):
        is_mount_point = path.parent == upper and path.name in _MOUNT_POINTS
        if not (is_mount_point and stat.S_ISDIR(status.st_mode) and not any(path.iterdir())):
            yield path, status


def _below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All below a folder in the order of names, folders before what is in them."""
    # A command may have nested folders deeper than recursion reaches.
    entered = [iter(sorted(folder.iterdir()))]
    while entered:
        path = next(entered[-1], None)
        if path is None:
            entered.pop()
            continue
        status = path.lstat()
        if not stat.S_ISSOCK(status.st_mode):
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                entered.append(iter(sorted(path.iterdir())))


def _header(
    path: Path,
    name: str,
    status: os.stat_result,
    seen: dict[tuple[int, int], str],
    latest: int | None,
) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.mode = stat.S_IMODE(status.st_mode)
    header.uid, header.gid = status.st_uid, status.st_gid
    header.mtime = int(status.st_mtime) if latest is None else min(int(status.st_mtime), latest)
    if stat.S_ISDIR(status.st_mode):
        header.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(status.st_mode):
        header.type, header.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISFIFO(status.st_mode):
        header.type = tarfile.FIFOTYPE
    elif not stat.S_ISREG(status.st_mode):
        raise InvalidImage(f"/{name} is a device node; an image can't hold one")
    elif status.st_nlink > 1 and (first := seen.get((status.st_dev, status.st_ino))):
        header.type, header.linkname = tarfile.LNKTYPE, first
    else:
        header.size = status.st_size
        seen[status.st_dev, status.st_ino] = name
    if header.isreg() or header.isdir():
        header.pax_headers = _attributes(path)
    return header


def _attributes(path: Path) -> dict[str, str]:
    return {
        f"SCHILY.xattr.{name}": os.getxattr(path, name).decode("utf-8", "surrogateescape")
        for name in sorted(os.listxattr(path))
        if name in _KEPT_ATTRIBUTES or name.startswith(_USER_ATTRIBUTES)
    }


def _is_opaque(path: Path) -> bool:
    return OPAQUE_ATTRIBUTE in os.listxattr(path) and os.getxattr(path, OPAQUE_ATTRIBUTE) == b"y"


def _whiteout_name(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{WHITEOUT_PREFIX}{last}"


def _empty(name: str) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.mode = 0
    return header
