"""Which nodes the machine has, and which of them were stopped: kept over a reboot."""

import re
from pathlib import Path

import msgspec

from sampan.foundation.settings import Instance

MACHINE_NODE = 1
MOST_NODES = 50
_NAME_FORM = re.compile(r"node-([1-9][0-9]?)")


class NoSuchNode(Exception):
    """The name is not that of a node of this machine."""


class NodeEntry(msgspec.Struct, frozen=True):
    number: int
    stopped: bool = False

    @property
    def name(self) -> str:
        return node_name(self.number)


def node_list_path(instance: Instance) -> Path:
    return instance.state_folder / "nodes.json"


def node_name(number: int) -> str:
    return f"node-{number}"


class NodeList:
    """The file's owner is the supervisor; others only read it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: tuple[NodeEntry, ...] = ()
        if path.exists():
            self.entries = msgspec.json.decode(path.read_bytes(), type=tuple[NodeEntry, ...])

    def ensure(self, count: int) -> None:
        """Have at least nodes 1 to `count`."""
        known = {entry.number for entry in self.entries}
        added = (NodeEntry(number) for number in range(1, count + 1) if number not in known)
        self._save((*self.entries, *added))

    def reset(self, count: int) -> None:
        """Have exactly nodes 1 to `count`, all to be running."""
        self._save(tuple(NodeEntry(number) for number in range(1, count + 1)))

    def set_stopped(self, number: int, stopped: bool) -> None:
        self._save(
            tuple(
                NodeEntry(number, stopped) if entry.number == number else entry
                for entry in self.entries
            )
        )

    def find(self, name: str) -> NodeEntry:
        """Raises NoSuchNode."""
        form = _NAME_FORM.fullmatch(name)
        for entry in self.entries:
            if form and entry.number == int(form[1]):
                return entry
        known = ", ".join(entry.name for entry in self.entries)
        raise NoSuchNode(f"there is no node {name!r} on this machine; there are: {known}")

    def _save(self, entries: tuple[NodeEntry, ...]) -> None:
        entries = tuple(sorted(entries, key=lambda entry: entry.number))
        if entries == self.entries:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._path.with_name(f".{self._path.name}")
        temporary.write_bytes(msgspec.json.encode(entries))
        temporary.replace(self._path)
        self.entries = entries
