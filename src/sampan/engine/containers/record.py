"""What is written down about one of the machine's own containers.

Written before anything is done about it, so that whoever opens the state next knows what was
wanted. Whether it runs, and how it ended, is the mechanism's to know: kept here is only what the
mechanism forgets.
"""

from typing import Literal

import msgspec

from sampan.engine.containers.configuration import (
    Configuration,
    EndpointSettings,
    HostConfiguration,
)
from sampan.engine.containers.mount_plan import PlannedMount
from sampan.engine.contract import EngineError
from sampan.host.identifier_maps import UNMAPPED, OwnerMaps

KIND = "container"


class RecordedEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last run. `error` tells why it could not be started."""

    exit_code: int = 0
    error: str = ""
    out_of_memory: bool = False
    started: int = 0
    finished: int = 0


class ContainerRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`intent` is `create` until everything of it is there, `remove` once it is to go, with its
    anonymous volumes or without.

    `stopped_by_hand`: nobody but a hand may start it again while the engine lives. `endpoints`
    are what was asked for, by the networks' names. `owners` are the maps of its user namespace,
    whatever holds for containers that are made later.
    """

    identifier: str
    name: str
    created: int
    image: str
    image_digest: str
    platform: str
    configuration: Configuration
    host: HostConfiguration
    endpoints: dict[str, EndpointSettings] = {}
    mounts: tuple[PlannedMount, ...] = ()
    intent: Literal["create", "keep", "remove", "remove-volumes"] = "keep"
    stopped_by_hand: bool = False
    restart_count: int = 0
    end: RecordedEnd = RecordedEnd()
    owners: OwnerMaps = UNMAPPED


def encoded(record: ContainerRecord) -> bytes:
    return msgspec.json.encode(record)


def decoded(document: bytes) -> ContainerRecord:
    """Raises EngineError for what is no record."""
    try:
        return msgspec.json.decode(document, type=ContainerRecord)
    except msgspec.DecodeError as error:
        raise EngineError(f"the record of a container can't be read: {error}") from error
