"""What a container's monitor writes of its output, read from where an earlier reader stopped.

The monitor writes whether the engine lives or not; what has been read makes room again: a spool
that has grown is set aside while the monitor begins another. Positions name a file by its inode.
"""

import os
from pathlib import Path

from sampan.engine import logs
from sampan.engine.log_rotation import rotated_file

_CHUNK = 16 * 1024
_LINE_LIMIT = 1 << 20

# An entry, and where the next one begins.
PlacedEntry = tuple[logs.LogEntry, int]


class LogSpool:
    """Open from `begin` to `close`; `file` and `offset` are where the next entry is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.aside = rotated_file(path)
        self.file = 0
        self.offset = 0
        self._descriptor = -1

    def begin(self, file: int, offset: int) -> bool:
        """Go on at a position; False when there is nothing to read at all.

        A position in a file that has gone is the beginning of the oldest that is there. Raises
        OSError.
        """
        aside, current = _inode(self.aside), _inode(self.path)
        if aside and current and file == current:
            # It was read to its end; an earlier process was about to delete it.
            self.aside.unlink()
            aside = 0
        if not aside and not current:
            return False
        self._open(self.aside if aside else self.path)
        if self.file == file and offset <= os.fstat(self._descriptor).st_size:
            self.offset = offset
        return True

    def entries(self) -> list[PlacedEntry] | None:
        """The next ones, whole lines alone; None when there are no more in this file.

        What isn't an entry is passed over. Raises OSError.
        """
        size = _CHUNK
        while True:
            data = os.pread(self._descriptor, size, self.offset)
            end = data.rfind(b"\n") + 1
            if end or len(data) < size or size > _LINE_LIMIT:
                break
            size *= 2
        if not end and size > _LINE_LIMIT:
            end = len(data)
        if not end:
            return None
        found = []
        for line in data[:end].splitlines(keepends=True):
            self.offset += len(line)
            if (entry := logs.parse_entry(line.rstrip(b"\n"))) is not None:
                found.append((entry, self.offset))
        return found

    @property
    def size(self) -> int:
        """Bytes of all that is there, read or not."""
        found = (path.stat().st_size for path in (self.aside, self.path) if path.exists())
        return sum(found)

    @property
    def is_followed(self) -> bool:
        """Whether it was set aside, and the monitor writes another file now."""
        return _inode(self.aside) == self.file and _inode(self.path) != 0

    def turn(self) -> None:
        """Go to the file that the monitor writes now. Raises OSError."""
        self._open(self.path)

    def delete_read(self) -> None:
        """The one that was set aside was read to its end. Raises OSError."""
        self.aside.unlink(missing_ok=True)

    def delete(self) -> None:
        """All was read, and nobody writes any more. Raises OSError."""
        self.aside.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, path: Path) -> None:
        self.close()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.file, self.offset = os.fstat(self._descriptor).st_ino, 0


def set_aside(path: Path) -> bool:
    """Whether the monitor is to begin another file, which it does once it is told.

    A former one that isn't read yet stays. Raises OSError.
    """
    aside = rotated_file(path)
    if not path.exists():
        # The monitor was about to be told.
        return aside.exists()
    if aside.exists():
        return False
    path.rename(aside)
    return True


def _inode(path: Path) -> int:
    """0 for a file that is not there."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
