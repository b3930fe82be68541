"""Headers of tar archives, as the standard library reads them, but none that fills the memory.

The library leaves each kind of header to a method of its own that subclasses may take over.
Sources: tar(5) of libarchive; GNU tar's manual, "Storing Sparse Files" (formats oldgnu, 0.0, 0.1
and 1.0).
"""

import tarfile
from typing import Any, cast

from sampan.engine.images.documents import InvalidImage

_EXTENSION_LIMIT = 1 << 20
_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_SPARSE_LIMIT = 1 << 40
_SEGMENT_LIMIT = 20_000
_SEGMENTS_A_BLOCK = 21
_SEGMENT_SIZE = 24
_CONTINUED = 504


class BoundedTarInfo(tarfile.TarInfo):
    """A header whose extensions (long names, pax records, maps of holes) are bounded."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENSIONS and self.size > _EXTENSION_LIMIT:
            raise InvalidImage("an archive has an extended header of more than 1 MiB")
        if self.size < 0:
            raise InvalidImage("an archive has an entry of negative size")
        following: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        check_holes(following)
        return following

    def _proc_sparse(self, archive: Any) -> tarfile.TarInfo:
        """The map of GNU tar's old format goes on in blocks of its own after the header."""
        segments, is_continued, size = self._sparse_structs  # type: ignore[attr-defined]
        while is_continued:
            block = archive.fileobj.read(tarfile.BLOCKSIZE)
            if len(block) < tarfile.BLOCKSIZE or len(segments) > _SEGMENT_LIMIT:
                raise InvalidImage("an archive has a map of holes that is broken or too large")
            segments += _segments_in(block)
            is_continued = bool(block[_CONTINUED])
        self.sparse = segments
        self.offset_data = archive.fileobj.tell()
        archive.offset = self.offset_data + self._block(self.size)  # type: ignore[attr-defined]
        self.size = size
        return self

    def _proc_gnusparse_10(self, following: Any, pax_headers: Any, archive: Any) -> None:
        """The map of GNU tar's newest format stands before the content, in decimal lines."""
        block = archive.fileobj.read(tarfile.BLOCKSIZE)
        count, _, rest = block.partition(b"\n")
        if not count.isdigit() or int(count) > _SEGMENT_LIMIT:
            raise InvalidImage("an archive has a map of holes that is broken or too large")
        while rest.count(b"\n") < 2 * int(count):
            block = archive.fileobj.read(tarfile.BLOCKSIZE)
            if len(rest) > _EXTENSION_LIMIT or not block:
                raise InvalidImage("an archive has a map of holes that is broken or too large")
            rest += block
        numbers = [int(number) for number in rest.split(b"\n")[: 2 * int(count)]]
        following.offset_data = archive.fileobj.tell()
        following.sparse = list(zip(numbers[::2], numbers[1::2], strict=True))


def segments_of(entry: tarfile.TarInfo) -> list[tuple[int, int]] | None:
    """Offset and length of each piece of data in a sparse file; None for another one."""
    segments: Any = entry.sparse
    return cast("list[tuple[int, int]] | None", segments)


def check_holes(entry: tarfile.TarInfo) -> None:
    """Raises InvalidImage unless the segments of a sparse file lie one after another in it."""
    segments = segments_of(entry)
    if segments is None:
        return
    end = 0
    for offset, length in segments:
        if offset < end or length < 0:
            raise InvalidImage("an archive has a map of holes that is broken or too large")
        end = offset + length
    if not end <= entry.size <= _SPARSE_LIMIT or len(segments) > _SEGMENT_LIMIT:
        raise InvalidImage("an archive has a map of holes that is broken or too large")


def _segments_in(block: bytes) -> list[tuple[int, int]]:
    found = []
    for start in range(0, _SEGMENTS_A_BLOCK * _SEGMENT_SIZE, _SEGMENT_SIZE):
        pair = block[start : start + _SEGMENT_SIZE]
        if not pair.strip(b"\0 "):
            break
        found.append((_number(pair[:12]), _number(pair[12:])))
    return found


def _number(field: bytes) -> int:
    value: int = tarfile.nti(field)  # type: ignore[attr-defined]
    return value
