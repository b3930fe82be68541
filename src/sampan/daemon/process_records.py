"""Which process plays which role, written down so that another supervisor can take over.

A process is known by its id and its start time: ids are used again, the pair is not (proc(5)).
"""

import os
from pathlib import Path

import msgspec


class ProcessRecord(msgspec.Struct, frozen=True):
    """`start_time` is in clock ticks since the machine's boot."""

    process: int
    start_time: int


def start_time(process: int) -> int | None:
    """None when there is no such process, or only the zombie of one."""
    try:
        line = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = line.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


class ProcessRecords:
    """One small file a role in `folder`, replaced atomically."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, role: str, process: int) -> None:
        """Forgets the role when the process has already ended."""
        started = start_time(process)
        if started is None:
            self.remove(role)
            return
        temporary = self._folder / f".{role}"
        temporary.write_bytes(msgspec.json.encode(ProcessRecord(process, started)))
        temporary.replace(self._folder / role)

    def remove(self, role: str) -> None:
        (self._folder / role).unlink(missing_ok=True)

    def living(self, role: str) -> tuple[int, int] | None:
        """The role's process and an open pidfd of it, when it is alive and still the same."""
        try:
            record = msgspec.json.decode((self._folder / role).read_bytes(), type=ProcessRecord)
            descriptor = os.pidfd_open(record.process)
        except (FileNotFoundError, ProcessLookupError, msgspec.DecodeError):
            return None
        if start_time(record.process) == record.start_time:
            return record.process, descriptor
        os.close(descriptor)
        return None

    def roles(self) -> tuple[str, ...]:
        return tuple(
            sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))
        )
