"""Reading layers and archives as streams: decompressed, counted, hashed, bounded.

A bomb is a stream that grows far beyond what came in; it is cut off here before it fills a
disk. No file names are known here.
"""

import bz2
import hashlib
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

import zstandard

from sampan.engine.images.documents import InvalidImage
from sampan.engine.images.tar_headers import BoundedTarInfo

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
XZ_MAGIC = b"\xfd7zXZ\x00"
BZIP2_MAGIC = b"BZh"
CHUNK = 1 << 20
_PIECE = 1 << 18
_MAGIC_SIZE = 6
_GZIP_WINDOW = 31  # the largest window, with gzip's header and checksum (zlib's manual)
_FREE_SIZE = 1 << 30
_GROWTH_LIMIT = 100
_SIZE_LIMIT = 32 << 30
_WINDOW_LIMIT = 1 << 27
_ENTRY_LIMIT = 500_000


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class HashingReader:
    """Passes a stream on, knowing the sha256 digest and size of what has been read.

    Raises InvalidImage when more come than `limit` allows at the time.
    """

    def __init__(self, stream: Readable, limit: Callable[[], int] | int = _SIZE_LIMIT) -> None:
        self._stream = stream
        self._limit = limit if callable(limit) else lambda: limit
        self._hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(CHUNK if size < 0 else min(size, CHUNK))
        self.size += len(data)
        if self.size > self._limit():
            raise InvalidImage(f"a stream unpacks to more than {self._limit()} bytes: refused")
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()

    def drain(self) -> None:
        """Read to the end, so that digest and size are those of the whole."""
        while self.read(CHUNK):
            pass


class CountingReader:
    """Passes a stream on, knowing how much has been read, and telling it if asked."""

    def __init__(self, stream: Readable, progress: Callable[[int], None] | None = None) -> None:
        self._stream = stream
        self._progress = progress
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self.size += len(data)
        if self._progress is not None:
            self._progress(self.size)
        return data


def size_limit(compressed: int) -> int:
    """How large a stream of so many compressed bytes may grow."""
    return min(max(_FREE_SIZE, compressed * _GROWTH_LIMIT), _SIZE_LIMIT)


def decompressed(stream: Readable, progress: Callable[[int], None] | None = None) -> HashingReader:
    """The content of a compressed or plain stream.

    Reading raises InvalidImage when it outgrows `size_limit` of what has been read so far,
    which `progress` is told.
    """
    counted = CountingReader(stream, progress)
    return HashingReader(_Translated(_opened(counted)), lambda: size_limit(counted.size))


def _opened(stream: Readable) -> Readable:
    """The content by the magic number of the compression (gzip, zstd, xz, bzip2)."""
    magic = b""
    while len(magic) < _MAGIC_SIZE and (piece := stream.read(_MAGIC_SIZE - len(magic))):
        magic += piece
    rejoined: Any = _Rejoined(magic, stream)
    if magic.startswith(GZIP_MAGIC):
        return _Members(rejoined, lambda: zlib.decompressobj(_GZIP_WINDOW))
    if magic.startswith(ZSTD_MAGIC):
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT)
        return decompressor.stream_reader(rejoined, read_across_frames=True)
    if magic == XZ_MAGIC:
        return _Members(rejoined, lambda: lzma.LZMADecompressor(memlimit=_WINDOW_LIMIT))
    if magic.startswith(BZIP2_MAGIC):
        return _Members(rejoined, bz2.BZ2Decompressor)
    return cast(Readable, rejoined)


class _Rejoined:
    """A stream with the bytes that were read for a look put before it again."""

    def __init__(self, head: bytes, stream: Readable) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        if not self._head:
            return self._stream.read(size)
        end = len(self._head) if size < 0 else size
        piece, self._head = self._head[:end], self._head[end:]
        return piece


class _Members:
    """What is in the members of a compressed stream, one after another; zeros may follow.

    The library's own readers take pieces of 8 KiB, which makes them half as fast, and xz there
    may take any amount of memory.
    """

    def __init__(self, file: Readable, fresh: Callable[[], Any]) -> None:
        self._file = file
        self._fresh = fresh
        self._current = fresh()
        self._pending = b""

    def read(self, size: int = -1, /) -> bytes:
        limit = CHUNK if size < 0 else size
        while True:
            if self._current.eof and not self._next_member():
                return b""
            given = self._pending
            if not given and getattr(self._current, "needs_input", True):
                given = self._file.read(_PIECE)
            data: bytes = self._current.decompress(given, limit)
            self._pending = getattr(self._current, "unconsumed_tail", b"")
            if data:
                return data
            if not given and not self._current.eof:
                raise EOFError("it ends too early")

    def _next_member(self) -> bool:
        rest = self._current.unused_data.lstrip(b"\0")
        while not rest and (piece := self._file.read(_PIECE)):
            rest = piece.lstrip(b"\0")
        if rest:
            self._current, self._pending = self._fresh(), rest
        return bool(rest)


class _Translated:
    """Turns what decompressors raise for broken input into InvalidImage."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._stream.read(size)
        except (EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
            raise InvalidImage(f"a compressed stream is broken: {error}") from error
        except OSError as error:
            if error.errno is None:  # bzip2 tells of broken input so
                raise InvalidImage(f"a compressed stream is broken: {error}") from error
            raise


def archive_entries(
    stream: Readable, *, with_holes: bool = False
) -> Iterator[tuple[tarfile.TarInfo, Readable]]:
    """The entries of a tar stream, each with its content, to be read before the next.

    Only who leaves the holes of sparse files out takes them `with_holes`: to others they are as
    good as a bomb. Raises InvalidImage for a broken archive, or one with more than half a
    million entries.
    """
    file = io.BufferedReader(_Raw(stream), CHUNK)
    try:
        with tarfile.open(fileobj=file, mode="r|", tarinfo=BoundedTarInfo) as archive:
            for count, entry in enumerate(archive):
                if count >= _ENTRY_LIMIT:
                    raise InvalidImage(f"an archive has more than {_ENTRY_LIMIT} entries")
                if entry.sparse is not None and not with_holes:
                    raise InvalidImage("sparse entries in such archives are not supported")
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
