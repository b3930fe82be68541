"""The log of each process: a file of its own that can't fill the disk."""

import io
import os
import sys
from pathlib import Path
from typing import TextIO, cast

from sampan.daemon.node_list import node_name
from sampan.foundation.settings import Instance
from sampan.foundation.telemetry import set_up_logging

LARGEST_FILE = 10 * 1024 * 1024
_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2


def log_folder(instance: Instance) -> Path:
    return instance.state_folder / "log"


def log_to_file(instance: Instance, component: str) -> None:
    """Send this process's log lines, and what else it says, to the component's file."""
    folder = log_folder(instance)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = BoundedFile(folder / f"{component}.log", LARGEST_FILE)
    set_up_logging(component, cast(TextIO, file))


def node_component(role: str, number: int) -> str:
    """`agent-node-2`: the component of a node's process."""
    return f"{role}-{node_name(number)}"


class BoundedFile(io.TextIOBase):
    """A text file of mode 600, and the one before it; both together at most twice as large as
    `limit`. It takes the place of the process's standard output and error, which is also how
    children that are forked from here go on writing to it."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._size = 0
        self._open()

    def write(self, text: str) -> int:
        content = text.encode(errors="replace")
        if self._size + len(content) > self._limit:
            self._path.replace(self._path.with_suffix(".log.1"))
            self._open()
        self._size += os.write(_STANDARD_ERROR, content)
        return len(text)

    def _open(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        self._size = os.fstat(descriptor).st_size
        os.dup2(descriptor, _STANDARD_OUTPUT)
        os.dup2(descriptor, _STANDARD_ERROR)
        os.close(descriptor)
