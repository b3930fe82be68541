"""Reading what a container has said, over all the parts of its log, and following it.

The format of the files, and following one that is set aside meanwhile, are `engine.logs`'s.
"""

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, cast

from sampan.engine import logs
from sampan.engine.containers.contract import LogEntry, LogOptions
from sampan.engine.log_rotation import COMPRESSED, older_parts

_BATCH = 512
_ATTEMPTS = 5
_NANOSECONDS = 1_000_000_000
_CHUNK = 1 << 20


async def read(log: Path, options: LogOptions, ended: asyncio.Event) -> AsyncIterator[LogEntry]:
    """Entries in their order; with `follow` until `ended` is set and all was read.

    A container that has said nothing yet may have no log: that is empty.
    """
    if options.follow:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        log.touch(mode=0o600)
    with ExitStack() as stack:
        older, living = await asyncio.to_thread(_opened, log, stack)
        await asyncio.to_thread(_skip_to_tail, [*older, *([living] if living else [])], options)
        async for entry in _entries(log, older, living, options, ended):
            time = nanoseconds(entry.time)
            if options.until and time > options.until:
                return
            wanted = options.stdout if entry.stream == "stdout" else options.stderr
            if wanted and time >= options.since:
                end = b"" if entry.partial else b"\n"
                yield LogEntry(entry.stream, time, entry.content + end)


def nanoseconds(time: str) -> int:
    """Nanoseconds since the epoch of a log's time, which is RFC 3339; 0 if unreadable."""
    head, _, fraction = time.rstrip("Z").partition(".")
    try:
        seconds = int(datetime.fromisoformat(head + "+00:00").timestamp())
        return seconds * _NANOSECONDS + int(fraction[:9].ljust(9, "0"))
    except ValueError:
        return 0


async def _entries(
    log: Path,
    older: list[IO[bytes]],
    living: IO[bytes] | None,
    options: LogOptions,
    ended: asyncio.Event,
) -> AsyncIterator[logs.LogEntry]:
    for file in older:
        entries = _entries_in(file)
        while batch := await asyncio.to_thread(list, islice(entries, _BATCH)):
            for entry in batch:
                yield entry
    if living is not None:
        following = logs.LogOptions(follow=options.follow)
        async for entry in logs.read_entries(log, following, ended, living):
            yield entry


def _entries_in(file: IO[bytes]) -> Iterator[logs.LogEntry]:
    for line in file:
        entry = logs.parse_entry(line.rstrip(b"\n"))
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
