"""One container as the engine follows it: its record, its end, and how the end is found out.

When the monitor ends, the exit code lies in a file. When the monitor itself was killed there
is none: the container, which nobody keeps any more, is ended too.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import msgspec

from sampan.engine.runtime.bundle import ContainerFolders
from sampan.engine.runtime.monitor import exit_of
from sampan.engine.runtime.record import ContainerRecord, write_record
from sampan.host import cgroups, processes

_KILLED = 128 + signal.SIGKILL
_UNKNOWN = 255


class FollowedContainer:
    """Follows a container from its creation, or from its adoption, to its end."""

    def __init__(
        self,
        record: ContainerRecord,
        folders: ContainerFolders,
        control_groups: cgroups.ControlGroups,
        clock: Callable[[], float],
        tell: Callable[["FollowedContainer"], None],
    ) -> None:
        self.record = record
        self.lock = asyncio.Lock()
        self.ended = asyncio.Event()
        self._folders = folders
        self._control_groups = control_groups
        self._clock = clock
        self._tell = tell
        self._watch: processes.ExitWatch | None = None
        if record.phase == "exited":
            self.ended.set()
        elif record.monitor is not None:
            self._watch = processes.ExitWatch(record.monitor, self._monitor_ended)

    def update(self, **changes: Any) -> None:
        """Change the record, and write it down."""
        self.record = msgspec.structs.replace(self.record, **changes)
        write_record(self._folders.container(self.record.identifier), self.record)

    def start_failed(self) -> None:
        """Take the intent back, unless the container has ended meanwhile."""
        if self.record.phase == "starting":
            self.update(phase="created", started=0)

    def start_succeeded(self) -> None:
        """Tell that it runs, unless it has ended already."""
        if self.record.phase == "starting":
            self.update(phase="running")
            self._tell(self)

    def signal(self, number: int) -> bool:
        """Signal the container's first process; False when it has ended."""
        return self.record.process is not None and processes.send_signal(
            self.record.process, number
        )

    def close(self) -> None:
        """Stop following; the container runs on."""
        if self._watch is not None:
            self._watch.close()

    def _monitor_ended(self) -> None:
        left = exit_of(self._folders.exit_file(self.record.identifier))
        if left is not None:
            self._end(*left)
        elif self.record.process is not None and processes.is_alive(self.record.process):
            self._control_groups.kill_all(self.record.cgroup)
            self.signal(signal.SIGKILL)
            self._watch = processes.ExitWatch(self.record.process, self._process_ended)
        else:
            self._end(_UNKNOWN, self._clock(), "it ended while nobody watched; its code is lost")

    def _process_ended(self) -> None:
        self._end(_KILLED, self._clock(), "its monitor was killed, so it was ended as well")

    def _end(self, exit_code: int, finished: float, message: str = "") -> None:
        kills = self._control_groups.out_of_memory_kills(self.record.cgroup)
        self.update(
            phase="exited",
            exit_code=exit_code,
            finished=finished,
            out_of_memory=kills > 0 and exit_code != 0,
            message=message,
        )
        self.ended.set()
        self._tell(self)
