"""Reading containers' logs: the CRI log format, as conmon writes it, and following it.

Each line is `TIME STREAM TAG CONTENT`; the tag P marks a piece whose line goes on in the next
of its stream, F the end of a line (Kubernetes, "CRI logging" proposal). Who a log belongs to
is not known here.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from sampan.host import inotify

_CHUNK = 64 * 1024
_LINE_LIMIT = 1 << 20
_CHANGES = inotify.IN_MODIFY | inotify.IN_CREATE | inotify.IN_MOVED_TO | inotify.IN_MOVED_FROM

LogStream = Literal["stdout", "stderr"]


class LogEntry(msgspec.Struct, frozen=True):
    """One line of the file: `partial` when the container's own line goes on."""

    time: str
    stream: LogStream
    partial: bool
    content: bytes
    attributes: Mapping[str, str] = {}


Parse = Callable[[bytes], LogEntry | None]


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`tail` None is everything; `since` is in seconds since the epoch; `limit_bytes` 0 is none."""

    follow: bool = False
    tail: int | None = None
    since: float = 0
    timestamps: bool = False
    limit_bytes: int = 0


def parse_entry(line: bytes) -> LogEntry | None:
    """The entry of a line without its end; None for one that is not of the format."""
    fields = line.split(b" ", 3)
    if len(fields) != 4 or fields[1] not in (b"stdout", b"stderr"):
        return None
    time = fields[0].decode("ascii", "replace").replace("+00:00", "Z")
    stream: LogStream = "stdout" if fields[1] == b"stdout" else "stderr"
    return LogEntry(time, stream, fields[2].startswith(b"P"), fields[3])


def seconds_of(time: str) -> float:
    """Seconds since the epoch of an entry's time, which has nanoseconds; 0 if unreadable."""
    head, _, fraction = time.rstrip("Z").partition(".")
    try:
        return datetime.fromisoformat(head + "+00:00").timestamp() + float(f"0.{fraction or 0}")
    except ValueError:
        return 0


async def read_log(
    path: Path, options: LogOptions, ended: asyncio.Event | None = None
) -> AsyncIterator[tuple[LogStream, bytes]]:
    """The output that a log holds, in order, as it came from the container.

    With `follow` it goes on until `ended` is set (None: for ever) and everything was read,
    also when the file is renamed and a new one takes its place. Raises FileNotFoundError.
    """
    renderer = _Renderer(options)
    left = options.limit_bytes or None
    async for entry in read_source(LogSource(path), options, ended):
        for piece in renderer.render(entry):
            shown = piece if left is None else piece[:left]
            if shown:
                yield entry.stream, shown
            if left is not None:
                left -= len(shown)
                if left <= 0:
                    return


class LogSource(msgspec.Struct, frozen=True):
    """A log's file; `opened` is where to begin, if not as the options tell, and is closed at the
    end. `parse` is what a line means, `next_part` gives the part after the one that is read, if
    it is not what is at the path by now."""

    path: Path
    opened: IO[bytes] | None = None
    parse: Parse = parse_entry
    next_part: Callable[[], IO[bytes] | None] | None = None


def read_source(
    source: LogSource, options: LogOptions, ended: asyncio.Event | None = None
) -> AsyncIterator[LogEntry]:
    """The lines of a log's file as they are there. Raises FileNotFoundError when iterated."""
    if options.follow:
        return _Follower(source, options, ended).entries()
    return _Reader(source, options).entries()


class _Renderer:
    """Turns entries back into output; remembers for each stream whether a line is open."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._open: set[str] = set()

    def render(self, entry: LogEntry) -> Iterator[bytes]:
        if self._options.since and seconds_of(entry.time) < self._options.since:
            return
        stamped = self._options.timestamps and entry.stream not in self._open
        start = f"{entry.time} ".encode() if stamped else b""
        (self._open.add if entry.partial else self._open.discard)(entry.stream)
        yield start + entry.content + (b"" if entry.partial else b"\n")


class _Lines:
    """Whole lines out of a file that may still grow."""

    def __init__(self, file: IO[bytes], parse: Parse) -> None:
        self._file = file
        self._parse = parse
        self._rest = b""

    def next_entries(self) -> list[LogEntry] | None:
        """The entries of the next chunk; None when there is nothing more now."""
        chunk = self._file.read(_CHUNK)
        if not chunk:
            return None
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LINE_LIMIT:
            self._rest = b""
        return [entry for line in lines if (entry := self._parse(line)) is not None]


class _Reader:
    def __init__(self, source: LogSource, options: LogOptions) -> None:
        self._source = source
        self._options = options

    async def entries(self) -> AsyncIterator[LogEntry]:
        with self._open() as file:
            async for entry in self._drain(_Lines(file, self._source.parse)):
                yield entry

    def _open(self) -> IO[bytes]:
        if self._source.opened is not None:
            return self._source.opened
        file = self._source.path.open("rb", buffering=0)
        if self._options.tail is not None:
            file.seek(start_of_tail(file, self._options.tail))
        return file

    async def _drain(self, lines: _Lines) -> AsyncIterator[LogEntry]:
        while (entries := lines.next_entries()) is not None:
            for entry in entries:
                yield entry
            # A long log must not hold the loop.
            await asyncio.sleep(0)


class _Follower(_Reader):
    def __init__(self, source: LogSource, options: LogOptions, ended: asyncio.Event | None) -> None:
        super().__init__(source, options)
        self._ended = ended
        self._changed = asyncio.Event()

    async def entries(self) -> AsyncIterator[LogEntry]:
        watch = inotify.FolderWatch(
            self._source.path.parent, _CHANGES, lambda _: self._changed.set()
        )
        waiting_for_end = asyncio.ensure_future(self._wake_at_end())
        file = None
        try:
            file = self._open()
            lines = _Lines(file, self._source.parse)
            while True:
                self._changed.clear()
                over = self._ended is not None and self._ended.is_set()
                async for entry in self._drain(lines):
                    yield entry
                if (fresh := self._next_part(file)) is not None:
                    # What came into the old file between the last look and its renaming.
                    async for entry in self._drain(lines):
                        yield entry
                    file.close()
                    file, lines = fresh, _Lines(fresh, self._source.parse)
                    continue
                if over:
                    return
                await self._changed.wait()
        finally:
            waiting_for_end.cancel()
            watch.close()
            if file is not None:
                file.close()

    def _next_part(self, file: IO[bytes]) -> IO[bytes] | None:
        if self._source.next_part is not None:
            return self._source.next_part()
        if _is_at(file, self._source.path):
            return None
        try:
            return self._source.path.open("rb", buffering=0)
        except FileNotFoundError:
            return None

    async def _wake_at_end(self) -> None:
        if self._ended is not None:
            await self._ended.wait()
            self._changed.set()


def start_of_tail(file: IO[bytes], count: int) -> int:
    """Where the last `count` lines of a file begin."""
    position = size = file.seek(0, os.SEEK_END)
    if count <= 0:
        return size
    missing = count + 1
    while position > 0:
        start = max(0, position - _CHUNK)
        file.seek(start)
        chunk = file.read(position - start)
        if position == size and not chunk.endswith(b"\n"):
            # The last line is still being written.
            missing -= 1
        found = chunk.count(b"\n")
        if found >= missing:
            for _ in range(missing):
                end = chunk.rfind(b"\n")
                chunk = chunk[:end]
            return start + end + 1
        missing -= found
        position = start
    return 0


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
