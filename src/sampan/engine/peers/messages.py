"""What engines of one machine say to one another."""

import msgspec

from sampan.engine.contract import PLAIN_EXEC, ExecOptions
from sampan.engine.runtime.record import ContainerRecord

JOIN = "peers.join"


class Membership(msgspec.Struct, frozen=True):
    """Who joins: its name for people, where it takes questions, and its containers' folders."""

    name: str
    socket: str
    containers: str


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a container stands now, or that one is no more.

    `is_news`: it has become so just now; else it was so before the engine joined.
    """

    record: ContainerRecord | None = None
    gone: str = ""
    is_news: bool = True


class OfContainer(msgspec.Struct, frozen=True):
    identifier: str


class Signal(msgspec.Struct, frozen=True):
    identifier: str
    signal: int


class Stop(msgspec.Struct, frozen=True):
    identifier: str
    grace_seconds: float


class Size(msgspec.Struct, frozen=True):
    identifier: str
    columns: int
    rows: int


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A further command in a running container, as the contract's `execute` takes it."""

    identifier: str
    command: tuple[str, ...]
    options: ExecOptions = PLAIN_EXEC
