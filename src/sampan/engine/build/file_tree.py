"""The root filesystem of a finished build, as those see it who take it away file by file.

Files are told in the order of their paths, folders before what is in them, and read one after
another. The roots are views that nobody writes to any more; no link in them is followed.
"""

import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

_PIECE = 256 << 10
_KINDS = {
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
    stat.S_IFREG: tarfile.REGTYPE,
}
_SECOND = 1_000_000_000
_ATTRIBUTES = ("security.capability",)
_USER_ATTRIBUTES = "user."


class TreeFile(msgspec.Struct, frozen=True, kw_only=True):
    """`mode` is that of stat(2), `modified` in nanoseconds. `link` is where a symlink leads, or
    the path of an earlier file that is the same one."""

    path: str
    place: Path
    mode: int
    uid: int
    gid: int
    size: int = 0
    modified: int
    link: str = ""
    attributes: dict[str, bytes] = {}

    @property
    def has_content(self) -> bool:
        return stat.S_ISREG(self.mode) and not self.link and self.size > 0

    def content(self) -> Iterator[bytes]:
        """Blocks. Raises OSError."""
        descriptor = os.open(self.place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            left = self.size
            while left and (piece := file.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece


class FileTree:
    """`roots` are folders with the names that they get, "" for the tree itself; with a `moment`
    (seconds since the epoch) every file is of that time."""

    def __init__(self, roots: Sequence[tuple[str, Path]], moment: int | None) -> None:
        self._roots = sorted(roots)
        self._moment = moment

    def files(self) -> Iterator[TreeFile]:
        """Blocks. Raises OSError."""
        for name, root in self._roots:
            seen: dict[tuple[int, int], str] = {}
            if name:
                yield self._file(name, root, root.lstat(), seen)
            for path, status in _below(root):
                inner = str(path.relative_to(root))
                told = f"{name}/{inner}" if name else inner
                yield self._file(told, path, status, seen)

    def _file(
        self, told: str, path: Path, status: os.stat_result, seen: dict[tuple[int, int], str]
    ) -> TreeFile:
        link = ""
        if stat.S_ISLNK(status.st_mode):
            link = os.readlink(path)
        elif stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            link = seen.setdefault((status.st_dev, status.st_ino), told)
            link = "" if link == told else link
        moment = status.st_mtime_ns if self._moment is None else self._moment * _SECOND
        return TreeFile(
            path=told,
            place=path,
            mode=status.st_mode,
            uid=status.st_uid,
            gid=status.st_gid,
            size=status.st_size if stat.S_ISREG(status.st_mode) and not link else 0,
            modified=moment,
            link=link,
            attributes={} if stat.S_ISLNK(status.st_mode) else _attributes(path),
        )


def tar_of(tree: FileTree) -> Iterator[bytes]:
    """The tree as an archive, in pieces. Blocks between them. Raises OSError."""
    for file in tree.files():
        yield _header(file).tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if file.has_content:
            yield from file.content()
            yield bytes(-file.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _header(file: TreeFile) -> tarfile.TarInfo:
    header = tarfile.TarInfo(file.path)
    header.mode = stat.S_IMODE(file.mode)
    header.uid, header.gid = file.uid, file.gid
    header.mtime = file.modified // _SECOND
    header.size = file.size
    header.linkname = file.link
    header.type = _KINDS[stat.S_IFMT(file.mode)]
    if header.isreg() and file.link:
        header.type = tarfile.LNKTYPE
    header.pax_headers = {
        f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape")
        for name, value in file.attributes.items()
    }
    return header


def _below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All below a folder; sockets and devices, which no image holds, are passed over."""
    entered = [iter(sorted(folder.iterdir()))]
    while entered:
        path = next(entered[-1], None)
        if path is None:
            entered.pop()
            continue
        status = path.lstat()
        if stat.S_IFMT(status.st_mode) in _KINDS:
            yield path, status
        if stat.S_ISDIR(status.st_mode):
            entered.append(iter(sorted(path.iterdir())))


def _attributes(path: Path) -> dict[str, bytes]:
    return {
        name: os.getxattr(path, name, follow_symlinks=False)
        for name in sorted(os.listxattr(path, follow_symlinks=False))
        if name in _ATTRIBUTES or name.startswith(_USER_ATTRIBUTES)
    }
