"""Reading what a container has said, over all the parts of its log, and following it.

The format of the files, and following one that is set aside meanwhile, are `engine.logs`'s.
"""

import asyncio
import gzip
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, cast

import msgspec

from sampan.engine import logs
from sampan.engine.containers.contract import LogEntry, LogOptions
from sampan.engine.log_rotation import COMPRESSED, older_parts

_BATCH = 512
_LEAST_BEGUN = 16
_ATTEMPTS = 5
_NANOSECONDS = 1_000_000_000
_CHUNK = 1 << 20


class BegunParts:
    """The parts of a log that were begun since its reader came, so that none passes him by."""

    def __init__(self, files: int) -> None:
        self._files: deque[IO[bytes]] = deque()
        self._limit = max(files, _LEAST_BEGUN)

    def begun(self, log: Path) -> None:
        """What a reader is this far behind is gone for him, too."""
        self._files.append(log.open("rb", buffering=0))
        if len(self._files) > self._limit:
            self._files.popleft().close()

    def pass_over(self, file: IO[bytes]) -> None:
        """Those that were begun until this one was."""
        if any(os.path.sameopenfile(file.fileno(), it.fileno()) for it in self._files):
            passed = False
            while not passed:
                with self._files.popleft() as one:
                    passed = os.path.sameopenfile(file.fileno(), one.fileno())

    def next(self) -> IO[bytes] | None:
        return self._files.popleft() if self._files else None

    def close(self) -> None:
        while self._files:
            self._files.popleft().close()


class Form(msgspec.Struct, frozen=True):
    """What a line means, and where the next part is found, if not at the log's own path."""

    parse: logs.Parse = logs.parse_entry
    begun: BegunParts | None = None


_PLAIN = Form()


async def read(
    log: Path, options: LogOptions, ended: asyncio.Event, form: Form = _PLAIN
) -> AsyncIterator[LogEntry]:
    """Entries in their order; with `follow` until `ended` is set and all was read.

    A container that has said nothing yet may have no log: that is empty.
    """
    if options.follow:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        log.touch(mode=0o600)
    with ExitStack() as stack:
        older, living = await asyncio.to_thread(_opened, log, stack)
        await asyncio.to_thread(_skip_to_tail, [*older, *([living] if living else [])], options)
        async for entry in _entries(log, older, living, _How(options.follow, ended, form)):
            time = nanoseconds(entry.time)
            if options.until and time > options.until:
                return
            wanted = options.stdout if entry.stream == "stdout" else options.stderr
            if wanted and time >= options.since:
                end = b"" if entry.partial else b"\n"
                yield LogEntry(entry.stream, time, entry.content + end, entry.attributes)


def nanoseconds(time: str) -> int:
    """Nanoseconds since the epoch of a log's time, which is RFC 3339; 0 if unreadable."""
    head, _, fraction = time.rstrip("Z").partition(".")
    try:
        seconds = int(datetime.fromisoformat(head + "+00:00").timestamp())
        return seconds * _NANOSECONDS + int(fraction[:9].ljust(9, "0"))
    except ValueError:
        return 0


class _How(msgspec.Struct, frozen=True):
    follow: bool
    ended: asyncio.Event
    form: Form


async def _entries(
    log: Path,
    older: list[IO[bytes]],
    living: IO[bytes] | None,
    how: _How,
) -> AsyncIterator[logs.LogEntry]:
    for file in older:
        entries = _entries_in(file, how.form.parse)
        while batch := await asyncio.to_thread(list, islice(entries, _BATCH)):
            for entry in batch:
                yield entry
    if living is not None:
        options = logs.LogOptions(follow=how.follow)
        begun = how.form.begun
        if begun is not None:
            begun.pass_over(living)
        source = logs.LogSource(log, living, how.form.parse, begun.next if begun else None)
        async for entry in logs.read_source(source, options, how.ended):
            yield entry


def _entries_in(file: IO[bytes], parse: logs.Parse) -> Iterator[logs.LogEntry]:
    for line in file:
        entry = parse(line.rstrip(b"\n"))
        if entry is not None:
            yield entry


def _opened(log: Path, stack: ExitStack) -> tuple[list[IO[bytes]], IO[bytes] | None]:
    """The older parts and the living one, none twice, as they were at one moment."""
    for _ in range(_ATTEMPTS):
        attempt = ExitStack()
        try:
            living = attempt.enter_context(log.open("rb", buffering=0))
        except FileNotFoundError:
            living = None
        try:
            older = [attempt.enter_context(_open_part(path)) for path in older_parts(log)]
            settled = living is None or os.path.samestat(os.fstat(living.fileno()), log.stat())
        except FileNotFoundError:
            settled = False
        if settled:
            stack.enter_context(attempt.pop_all())
            return older, living
        # It was set aside between two looks.
        attempt.close()
    raise OSError(f"the log {log} changes too fast to be read")


def _open_part(path: Path) -> IO[bytes]:
    if path.name.endswith(COMPRESSED):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _skip_to_tail(files: list[IO[bytes]], options: LogOptions) -> None:
    """Put every file where the last lines that are wanted begin."""
    if options.tail is None or options.tail < 0:
        return
    missing = options.tail
    for file in reversed(files):
        if isinstance(file, gzip.GzipFile):
            lines = _count(file)
            _skip_lines(file, max(0, lines - missing))
        else:
            start = logs.start_of_tail(file, missing)
            file.seek(0)
            lines = missing if start else _count(file)
            file.seek(start)
        missing = max(0, missing - lines)


def _count(file: IO[bytes]) -> int:
    lines = 0
    while chunk := file.read(_CHUNK):
        lines += chunk.count(b"\n")
    file.seek(0)
    return lines


def _skip_lines(file: IO[bytes], count: int) -> None:
    for _ in range(count):
        file.readline()
