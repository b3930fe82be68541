"""Reading layers and archives as streams: decompressed, counted, hashed, bounded.

A bomb is a stream that grows far beyond what came in; it is cut off here before it fills a
disk. No file names are known here.
"""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from typing import IO, Any, Protocol

import zstandard

from sampan.engine.images.documents import InvalidImage

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
CHUNK = 1 << 20
_FREE_SIZE = 1 << 30
_GROWTH_LIMIT = 100
_SIZE_LIMIT = 32 << 30
_WINDOW_LIMIT = 1 << 27
_EXTENSION_LIMIT = 1 << 20
_ENTRY_LIMIT = 500_000
_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class HashingReader:
    """Passes a stream on, knowing the sha256 digest and size of what has been read.

    Raises InvalidImage when more than `limit` bytes come.
    """

    def __init__(self, stream: Readable, limit: int = _SIZE_LIMIT) -> None:
        self._stream = stream
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(CHUNK if size < 0 else min(size, CHUNK))
        self.size += len(data)
        if self.size > self._limit:
            raise InvalidImage(f"a stream unpacks to more than {self._limit} bytes: refused")
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()

    def drain(self) -> None:
        """Read to the end, so that digest and size are those of the whole."""
        while self.read(CHUNK):
            pass


def size_limit(compressed: int) -> int:
    """How large a stream of so many compressed bytes may grow."""
    return min(max(_FREE_SIZE, compressed * _GROWTH_LIMIT), _SIZE_LIMIT)


def decompressed(file: IO[bytes], size: int) -> HashingReader:
    """The content of a gzip, zstd or plain stream that begins at the file's start.

    Reading raises InvalidImage when it outgrows `size_limit(size)`.
    """
    magic = file.read(4)
    file.seek(0)
    stream: Any = file
    if magic.startswith(GZIP_MAGIC):
        stream = gzip.GzipFile(fileobj=file, mode="rb")
    elif magic == ZSTD_MAGIC:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT)
        stream = decompressor.stream_reader(file, read_across_frames=True)
    return HashingReader(_Translated(stream), size_limit(size))


class _Translated:
    """Turns what decompressors raise for broken input into InvalidImage."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._stream.read(size)
        except (EOFError, gzip.BadGzipFile, zstandard.ZstdError) as error:
            raise InvalidImage(f"a compressed stream is broken: {error}") from error


class _BoundedTarInfo(tarfile.TarInfo):
    """A header whose extensions (long names, pax records) can't fill the memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        # The one entry to each kind of header that the library leaves to subclasses.
        if self.type in _EXTENSIONS and self.size > _EXTENSION_LIMIT:
            raise InvalidImage("an archive has an extended header of more than 1 MiB")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise InvalidImage("sparse entries in archives are not supported")
        if self.size < 0:
            raise InvalidImage("an archive has an entry of negative size")
        following: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return following


def archive_entries(stream: Readable) -> Iterator[tuple[tarfile.TarInfo, Readable]]:
    """The entries of a tar stream, each with its content, to be read before the next.

    Raises InvalidImage for a broken archive, or one with more than half a million entries.
    """
    file = io.BufferedReader(_Raw(stream), CHUNK)
    try:
        with tarfile.open(fileobj=file, mode="r|", tarinfo=_BoundedTarInfo) as archive:
            for count, entry in enumerate(archive):
                if count >= _ENTRY_LIMIT:
                    raise InvalidImage(f"an archive has more than {_ENTRY_LIMIT} entries")
                # The list of members would grow with the archive.
                archive.members = []  # type: ignore[attr-defined]
                content = archive.extractfile(entry) if entry.isreg() else None
                yield entry, content or io.BytesIO()
    except (tarfile.TarError, ValueError, RecursionError) as error:
        raise InvalidImage(f"an archive can't be read: {error}") from error


class _Raw(io.RawIOBase):
    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
