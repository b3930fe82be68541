"""Archives that attack whoever unpacks them, and unpackers that trust them as many do."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

Fill = Callable[[tarfile.TarFile], None]


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(header, field, value)
    return header


def file(archive: tarfile.TarFile, name: str, data: bytes = b"evil", **fields: object) -> None:
    archive.addfile(entry(name, size=len(data), **fields), io.BytesIO(data))


def link(archive: tarfile.TarFile, name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> None:
    archive.addfile(entry(name, type=kind, linkname=target))


def archive_of(fill: Fill) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        fill(archive)
    return buffer.getvalue()


def unpack_trustingly(data: bytes, target: Path) -> None:
    """Each entry where its name says, as `open`, `link` and `setxattr` take names."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for header in archive:
            path = os.path.join(target, header.name)
            if os.path.basename(path).startswith(".wh."):
                os.unlink(os.path.join(os.path.dirname(path), os.path.basename(path)[4:]))
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if header.issym():
                os.symlink(header.linkname, path)
            elif header.islnk():
                os.link(os.path.join(target, header.linkname), path)
            elif header.ischr() or header.isblk():
                mode = 0o600 | (0o020000 if header.ischr() else 0o060000)
                os.mknod(path, mode, os.makedev(header.devmajor, header.devminor))
            elif header.isreg():
                content = archive.extractfile(header)
                assert content is not None
                Path(path).write_bytes(content.read())
                for key, value in header.pax_headers.items():
                    if key.startswith("SCHILY.xattr."):
                        os.setxattr(path, key.removeprefix("SCHILY.xattr."), value.encode())


def names_by_realpath(data: bytes, target: Path) -> list[str]:
    """The entries that a check by `realpath`, done before anything is written, lets pass."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [
            header.name
            for header in archive
            if os.path.realpath(target / header.name).startswith(f"{target}{os.sep}")
        ]
