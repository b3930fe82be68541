"""How much the files below a folder hold. Who made them is not known here."""

import os
import stat
from pathlib import Path


def tree_size(folder: Path) -> int:
    """Bytes of the files below a folder, each counted once, symlinks as long as what they say.

    What vanishes meanwhile is left out.
    """
    total, seen = 0, set()
    folders = [os.fspath(folder)]
    while folders:
        try:
            entries = os.scandir(folders.pop())
        except (FileNotFoundError, NotADirectoryError):
            continue
        with entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    folders.append(entry.path)
                elif _has_size(status.st_mode) and status.st_ino not in seen:
                    seen.add(status.st_ino)
                    total += status.st_size
    return total


def _has_size(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)
