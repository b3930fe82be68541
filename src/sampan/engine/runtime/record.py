"""What is written down about a container, so that the next process finds it again.

One small JSON file a container, replaced atomically. It is written before anything is spawned
and after each step. It is not synced to the disk: after a power cut no container runs any more,
and a record that can't be read is a container to be cleaned away.
"""

import os
from pathlib import Path
from typing import Literal

import msgspec

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.contract import ContainerPhase, ContainerStatus
from sampan.engine.images.documents import ExecutionConfiguration
from sampan.host.processes import ProcessIdentity

_FILE = "container.json"
_LOST = 255

RecordedPhase = Literal[
    "creating", "created", "preparing", "prepared", "starting", "running", "exited"
]

_VISIBLE: dict[RecordedPhase, ContainerPhase] = {
    "creating": "created",
    "created": "created",
    "preparing": "created",
    "prepared": "created",
    "starting": "created",
    "running": "running",
    "exited": "exited",
}


class ContainerRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`creating`, `preparing` and `starting` are intents: whether they came true is to be found
    out. A `prepared` container has a process that waits to be started.

    `boot` identifies the machine's start in which the process was made. `layers` are the
    image's unpacked ones, the topmost first; the image store keeps them while we hold a lease.
    `project` counts what is written to the root, where that is limited.
    """

    identifier: str
    configuration: ContainerConfiguration
    image_digest: str
    stop_signal: str
    execution: ExecutionConfiguration = ExecutionConfiguration()
    layers: tuple[str, ...] = ()
    project: int = 0
    phase: RecordedPhase = "creating"
    paused: bool = False
    process: ProcessIdentity | None = None
    monitor: ProcessIdentity | None = None
    boot: str = ""
    created: float = 0
    started: float = 0
    finished: float = 0
    exit_code: int = 0
    out_of_memory: bool = False
    message: str = ""

    @property
    def cgroup(self) -> str:
        return f"{self.configuration.cgroup_parent}/{self.identifier}"

    @property
    def has_process(self) -> bool:
        """Whether a process was made that has not been seen to end."""
        return self.phase in ("prepared", "starting", "running")

    def status(self) -> ContainerStatus:
        """What users of the engine see; an intent is not yet true."""
        phase = _VISIBLE[self.phase]
        return ContainerStatus(
            identifier=self.identifier,
            name=self.configuration.name,
            image=self.configuration.image,
            image_digest=self.image_digest,
            phase=phase,
            paused=self.paused,
            process=self.process.process if self.process and phase != "exited" else 0,
            created=self.created,
            started=self.started if phase != "created" else 0,
            finished=self.finished,
            exit_code=self.exit_code,
            out_of_memory=self.out_of_memory,
            message=self.message,
            log_path=self.configuration.log_path,
            labels=self.configuration.labels,
        )


def reconfigured(
    record: ContainerRecord, configuration: ContainerConfiguration
) -> ContainerConfiguration:
    """A configuration for the next run, with what a container keeps for its whole life."""
    return msgspec.structs.replace(
        configuration,
        name=record.configuration.name,
        image=record.configuration.image,
        uid_maps=record.configuration.uid_maps,
        gid_maps=record.configuration.gid_maps,
        root_size=record.configuration.root_size,
    )


def stepped_back(record: ContainerRecord) -> ContainerRecord:
    """The record once its process is undone: as never started, or as it had ended before."""
    return msgspec.structs.replace(
        record,
        phase="exited" if record.finished else "created",
        process=None,
        monitor=None,
        started=min(record.started, record.finished),
    )


def lost(record: ContainerRecord, now: float, message: str) -> ContainerRecord:
    """The record of a container whose end nobody saw."""
    return msgspec.structs.replace(
        record, phase="exited", paused=False, exit_code=_LOST, finished=now, message=message
    )


def after_restart(record: ContainerRecord, boot: str, now: float) -> ContainerRecord:
    """What is true of a record of an earlier boot: no process of it lives, whatever its number."""
    if record.boot == boot or not (record.has_process or record.phase == "preparing"):
        return record
    if record.phase in ("starting", "running"):
        return msgspec.structs.replace(
            lost(record, now, "the machine was started anew"), process=None, monitor=None
        )
    return stepped_back(record)


def write_record(folder: Path, record: ContainerRecord) -> None:
    """Replace the record in a container's folder. Raises OSError."""
    fresh = folder / (_FILE + ".new")
    fresh.write_bytes(msgspec.json.encode(record))
    os.rename(fresh, folder / _FILE)


def read_record(folder: Path) -> ContainerRecord | None:
    """The record in a container's folder; None when there is none that can be read."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=ContainerRecord)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
