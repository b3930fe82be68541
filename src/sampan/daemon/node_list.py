"""Which nodes the machine has, and which of them were stopped: kept over a reboot.

On the machine a node goes by its number: folders, control groups and processes are named
`node-NUMBER`. In the cluster its name may have a prefix, so that machines that share a
datastore don't take one another's nodes for their own.
"""

from pathlib import Path

import msgspec

from sampan.foundation.settings import Instance

MACHINE_NODE = 1
MOST_NODES = 50


class NoSuchNode(Exception):
    """The name is not that of a node of this machine."""


class NodeEntry(msgspec.Struct, frozen=True):
    number: int
    stopped: bool = False
    prefix: str = ""

    @property
    def name(self) -> str:
        """What the cluster calls it."""
        return self.prefix + self.role

    @property
    def role(self) -> str:
        """What the machine calls it."""
        return node_name(self.number)


def node_list_path(instance: Instance) -> Path:
    return instance.state_folder / "nodes.json"


def node_name(number: int) -> str:
    return f"node-{number}"


def name_in_cluster(instance: Instance, number: int) -> str:
    """What the cluster calls a node of this machine, also one that stands in no list."""
    entries = NodeList(node_list_path(instance)).entries
    return next((it.name for it in entries if it.number == number), node_name(number))


class NodeList:
    """The file's owner is the supervisor; others only read it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: tuple[NodeEntry, ...] = ()
        if path.exists():
            self.entries = msgspec.json.decode(path.read_bytes(), type=tuple[NodeEntry, ...])

    @property
    def prefix(self) -> str:
        return self.entries[0].prefix if self.entries else ""

    def ensure(self, count: int) -> None:
        """Have at least nodes 1 to `count`."""
        known = {entry.number for entry in self.entries}
        missing = (number for number in range(1, count + 1) if number not in known)
        added = (NodeEntry(number, prefix=self.prefix) for number in missing)
        self._save((*self.entries, *added))

    def reset(self, count: int, prefix: str | None = None) -> None:
        """Have exactly nodes 1 to `count`, all to be running; no prefix leaves the former one."""
        kept = self.prefix if prefix is None else prefix
        self._save(tuple(NodeEntry(number, prefix=kept) for number in range(1, count + 1)))

    def set_stopped(self, number: int, stopped: bool) -> None:
        self._save(
            tuple(
                msgspec.structs.replace(entry, stopped=stopped) if entry.number == number else entry
                for entry in self.entries
            )
        )

    def find(self, name: str) -> NodeEntry:
        """By what the cluster or the machine calls it. Raises NoSuchNode."""
        for entry in self.entries:
            if name in (entry.name, entry.role):
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
