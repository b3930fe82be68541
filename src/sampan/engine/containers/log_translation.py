"""A container's json-file log out of what its monitor writes, to the byte, whenever it is cut off.

Theory: the same output makes the same bytes. Now and then it is written down how far the
spool was read and how long the log was then. Whoever takes up from there makes the bytes that
came after it again, and appends those that the log doesn't have yet: nothing is lost, and nothing
told twice. A log gives way to another only where its length is written down, and the next one
stays empty until that is written down, too: a log that is shorter than its noted length is such
a one.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

from sampan.engine.containers import json_log
from sampan.engine.containers.log_reading import BegunParts
from sampan.engine.containers.log_spool import LogSpool, PlacedEntry
from sampan.engine.log_rotation import LogLimits, compress_parts, set_aside
from sampan.engine.logs import LogStream

_NOTED_EVERY = 256 * 1024


class _Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`file` and `offset` are of the spool, `written` is the length of the log's living part,
    `held` what of a line that goes on was read and not written, by stream, `time` when it was
    said, `attributes` what lines tell."""

    file: int = 0
    offset: int = 0
    written: int = 0
    held: dict[LogStream, bytes] = {}
    time: str = ""
    attributes: dict[str, str] = {}


class LogPlace(msgspec.Struct, frozen=True):
    """`spool` is what a container's monitor writes, `log` what people read.

    `followers` are told of every part of the log that is begun.
    """

    spool: Path
    log: Path
    limits: LogLimits
    followers: Collection[BegunParts] = ()


async def catch_up(place: LogPlace) -> None:
    """Write all that was said by now, however fast more comes; one caller at a time (OSError)."""
    await _Translation(place).run()


async def finish(place: LogPlace) -> None:
    """The same once the monitor has ended: what it left goes. Raises OSError."""
    await _Translation(place).run(delete=True)


def pass_over(place: LogPlace) -> None:
    """Leave out what was set aside and isn't written yet, after `catch_up`. Raises OSError."""
    LogSpool(place.spool).delete_read()
    _note(place, msgspec.structs.replace(_noted(place), file=0, offset=0, held={}, time=""))


def begin(place: LogPlace, attributes: Mapping[str, str]) -> None:
    """What lines tell beside the output from now on, where all before was written.

    Raises OSError.
    """
    noted = _noted(place)
    if noted.attributes != attributes:
        _note(place, msgspec.structs.replace(noted, attributes=dict(attributes)))


class _Translation:
    """One go of it."""

    def __init__(self, place: LogPlace) -> None:
        self._place = place
        self._spool = LogSpool(place.spool)
        self._noted = _noted(place)
        self._writer = json_log.Writer(self._noted.attributes, self._noted.held)
        self._descriptor = -1
        self._time = self._noted.time
        self._size = 0
        self._known = 0
        self._parted = False

    async def run(self, *, delete: bool = False) -> None:
        noted = self._noted
        try:
            if self._spool.begin(noted.file, noted.offset):
                self._open()
                await self._steps()
                if delete:
                    self._append([self._writer.last_lines(self._time)])
                self._note()
                if delete:
                    self._spool.delete()
                    self._spool.file = self._spool.offset = 0
                    self._note()
            elif noted.file:
                # An earlier process had deleted it, and was about to write that down.
                _note(self._place, msgspec.structs.replace(noted, file=0, offset=0))
            if self._parted and self._place.limits.compress:
                await _in_thread(compress_parts, self._place.log)
        finally:
            self._spool.close()
            if self._descriptor >= 0:
                os.close(self._descriptor)

    async def _steps(self) -> None:
        going_on, left = True, self._spool.size
        while going_on and left >= 0:
            before = self._spool.offset
            going_on = self._step()
            left -= max(0, self._spool.offset - before)
            # A long log must not hold the loop.
            await asyncio.sleep(0)

    def _step(self) -> bool:
        """Write the next entries; False when there are no more now."""
        followed, start = self._spool.is_followed, self._spool.offset
        entries = self._spool.entries()
        if entries is not None:
            self._write(entries, start)
            return True
        if followed:
            # Looked at before the last entries were read: none can have come since.
            self._spool.turn()
            self._note()
            self._spool.delete_read()
        return followed

    def _write(self, entries: list[PlacedEntry], start: int) -> None:
        read, self._spool.offset = self._spool.offset, start
        waiting: list[bytes] = []
        size = self._size - self._known
        for entry, following in entries:
            if size >= self._place.limits.size:
                self._append(waiting)
                waiting = []
                self._begin_part()
                size = 0
            lines = self._writer.lines(entry)
            waiting.append(lines)
            size += len(lines)
            self._spool.offset, self._time = following, entry.time
        self._append(waiting)
        self._spool.offset = read
        if self._size - self._noted.written > _NOTED_EVERY:
            self._note()

    def _append(self, lines: list[bytes]) -> None:
        left = memoryview(b"".join(lines))
        known = min(self._known, len(left))
        self._known -= known
        left = left[known:]
        while left:
            written = os.write(self._descriptor, left)
            self._size += written
            left = left[written:]

    def _begin_part(self) -> None:
        """The living part is full: it becomes the newest of the older ones."""
        self._note()
        os.close(self._descriptor)
        self._descriptor = -1
        set_aside(self._place.log, self._place.limits.files)
        self._parted = True
        self._open()
        for follower in self._place.followers:
            follower.begun(self._place.log)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._place.log, flags, 0o640)
        self._size = os.fstat(self._descriptor).st_size
        if self._noted.written > self._size:
            # The one before gave way to it.
            self._note()
        self._known = self._size - self._noted.written

    def _note(self) -> None:
        position = _Position(
            file=self._spool.file,
            offset=self._spool.offset,
            written=self._size - self._known,
            held=dict(self._writer.held),
            time=self._time if self._writer.held else "",
            attributes=self._noted.attributes,
        )
        if position != self._noted:
            self._noted = position
            _note(self._place, position)


async def _in_thread(work: Callable[[Path], None], log: Path) -> None:
    """Nobody else may begin before it has ended, also when its caller is cancelled."""
    working = asyncio.ensure_future(asyncio.to_thread(work, log))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await working
        raise


def _noted(place: LogPlace) -> _Position:
    try:
        return msgspec.json.decode(_position_file(place).read_bytes(), type=_Position)
    except (FileNotFoundError, msgspec.DecodeError):
        return _Position()


def _note(place: LogPlace, position: _Position) -> None:
    file = _position_file(place)
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_bytes(msgspec.json.encode(position))
    fresh.rename(file)


def _position_file(place: LogPlace) -> Path:
    return place.log.with_name("position")
