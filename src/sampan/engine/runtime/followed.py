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
from sampan.engine.runtime.monitor import CreatedProcess, exit_of
from sampan.engine.runtime.record import ContainerRecord, lost, write_record
from sampan.host import cgroups, processes

_KILLED = 128 + signal.SIGKILL


class FollowedContainer:
    """Follows a container from its creation, or from its adoption, to its removal.

    `lock` is held by whoever makes, starts or takes away its process. `ended` is set while no
    process of it is there that ran.
    """

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
        self._write(msgspec.structs.replace(self.record, **changes))

    def prepared(self, made: CreatedProcess) -> None:
        """Follow the process that was made."""
        self.ended.clear()
        self.update(
            phase="prepared",
            process=made.process,
            monitor=made.monitor,
            out_of_memory=False,
            message="",
        )
        self._watch = processes.ExitWatch(made.monitor, self._monitor_ended)

    def step_back(self, record: ContainerRecord) -> None:
        """Be again what `record` says it was before its process was made; that must be gone."""
        self.close()
        self._write(record)
        if self.record.phase == "exited":
            self.ended.set()

    def start_succeeded(self) -> None:
        """Tell that it runs, unless it has ended already."""
        if self.record.phase == "starting":
            self.update(phase="running")
            self._tell(self)

    def end_unstarted(self) -> None:
        """It was told to stop before it was ever started."""
        self._end(_KILLED, self._clock(), "it was stopped before it was started")

    def signal(self, number: int) -> bool:
        """Signal the container's first process; False when it has ended."""
        return self.record.process is not None and processes.send_signal(
            self.record.process, number
        )

    def close(self) -> None:
        """Stop following; the container runs on."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _write(self, record: ContainerRecord) -> None:
        write_record(self._folders.container(record.identifier), record)
        self.record = record

    def _monitor_ended(self) -> None:
        left = exit_of(self._folders.exit_file(self.record.identifier))
        if left is not None:
            self._end(*left)
        elif self.record.process is not None and processes.is_alive(self.record.process):
            self._control_groups.kill_all(self.record.cgroup)
            self.signal(signal.SIGKILL)
            self._watch = processes.ExitWatch(self.record.process, self._process_ended)
        else:
            message = "it ended while nobody watched; its code is lost"
            self._finish(lost(self.record, self._clock(), message))

    def _process_ended(self) -> None:
        self._end(_KILLED, self._clock(), "its monitor was killed, so it was ended as well")

    def _end(self, exit_code: int, finished: float, message: str = "") -> None:
        kills = self._control_groups.out_of_memory_kills(self.record.cgroup)
        self._finish(
            msgspec.structs.replace(
                self.record,
                phase="exited",
                paused=False,
                exit_code=exit_code,
                finished=finished,
                out_of_memory=kills > 0 and exit_code != 0,
                message=message,
            )
        )

    def _finish(self, record: ContainerRecord) -> None:
        self._write(record)
        self.ended.set()
        self._tell(self)
