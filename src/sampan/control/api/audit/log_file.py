"""The file of the audit log: written beside the loop, bounded in size, number and age.

Lines are gathered for a moment and written together. When the disk can't keep up, lines are
dropped and their number is told, for the server must go on.
"""

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from sampan.foundation import tasks

GATHER_SECONDS = 0.05
MOST_WAITING = 16 << 20
_DAY = 86400.0

_log = logging.getLogger("sampan.api.audit")


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """A file grows to `size` bytes; `backups` older ones are kept, for `days`. 0 is no bound
    of the number or the age."""

    size: int = 20 << 20
    backups: int = 5
    days: int = 0


class AuditLog:
    """Lines go in; the file and its backups are what there is to see."""

    def __init__(self, path: Path, rotation: Rotation) -> None:
        self._path = path
        self._rotation = rotation
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._dropped = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Open the file's folder and begin to write. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._task = asyncio.create_task(self._run(), name="audit log")

    def write(self, line: bytes) -> None:
        """Take a line; it is in the file a moment later."""
        if self._waiting_bytes + len(line) > MOST_WAITING:
            self._dropped += 1
            return
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        self._wake.set()

    async def close(self) -> None:
        """Write what is left."""
        await tasks.end(self._task)
        self._task = None
        await self._flush()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(GATHER_SECONDS)
            await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
        dropped, self._dropped = self._dropped, 0
        if dropped:
            _log.error("%d lines of the audit log were dropped: the disk is too slow", dropped)
        if not lines:
            return
        try:
            await asyncio.to_thread(self._append, lines)
        except OSError as error:
            _log.error("%d lines of the audit log were lost: %s", len(lines), error)

    def _append(self, lines: list[bytes]) -> None:
        left = deque(lines)
        while left:
            with _opened(self._path) as descriptor:
                size, batch = os.fstat(descriptor).st_size, []
                while left and (not size or size + len(left[0]) <= self._rotation.size):
                    batch.append(left.popleft())
                    size += len(batch[-1])
                _write_all(descriptor, b"".join(batch))
            if left:
                self._rotate()

    def _rotate(self) -> None:
        """The file gets the moment into its name; the oldest of those are removed."""
        moment = time.time_ns()
        self._path.rename(self._path.with_name(f"{self._path.stem}-{moment}{self._path.suffix}"))
        found = sorted(self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}"))
        keep = self._rotation.backups
        extra = found[: max(0, len(found) - keep)] if keep else []
        if self._rotation.days:
            oldest = time.time() - self._rotation.days * _DAY
            extra += [path for path in found if path.stat().st_mtime < oldest]
        for path in set(extra):
            path.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The descriptor to add lines by; never that of another file behind a link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
