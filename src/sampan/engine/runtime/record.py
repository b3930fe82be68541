"""What is written down about a container, so that the next process finds it again.

One small JSON file a container, replaced atomically. It is written before anything is spawned
and after each step. It is not synced to the disk: after a power cut the containers are gone as
well, and a record that can't be read is a container to be cleaned away.
"""

import os
from pathlib import Path
from typing import Literal

import msgspec

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.contract import ContainerPhase, ContainerStatus
from sampan.host.processes import ProcessIdentity

_FILE = "container.json"

RecordedPhase = Literal["creating", "created", "starting", "running", "exited"]

_VISIBLE: dict[RecordedPhase, ContainerPhase] = {
    "creating": "created",
    "created": "created",
    "starting": "created",
    "running": "running",
    "exited": "exited",
}


class ContainerRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`creating` and `starting` are intents: whether they came true is to be found out."""

    identifier: str
    configuration: ContainerConfiguration
    image_digest: str
    stop_signal: str
    phase: RecordedPhase = "creating"
    process: ProcessIdentity | None = None
    monitor: ProcessIdentity | None = None
    created: float = 0
    started: float = 0
    finished: float = 0
    exit_code: int = 0
    out_of_memory: bool = False
    message: str = ""

    @property
    def cgroup(self) -> str:
        return f"{self.configuration.cgroup_parent}/{self.identifier}"

    def status(self) -> ContainerStatus:
        """What users of the engine see; an intent is not yet true."""
        phase = _VISIBLE[self.phase]
        return ContainerStatus(
            identifier=self.identifier,
            name=self.configuration.name,
            image=self.configuration.image,
            image_digest=self.image_digest,
            phase=phase,
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
