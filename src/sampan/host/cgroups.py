"""Control groups: making, limiting, reading and removing subtrees by their relative name.

One name stands for the same subtree in every hierarchy, whether the host has the one v2
hierarchy, the v1 controllers, or both (hybrid: v1 is used). Sources: the kernel's
admin-guide/cgroup-v1 and admin-guide/cgroup-v2. It knows nothing of containers or pods.
"""

import asyncio
import errno
import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from sampan.host import cgroup_usage, processes
from sampan.host.cgroup_limits import (
    ControlGroupLimits,
    Setting,
    changed_settings,
    settings,
)
from sampan.host.cgroup_usage import DetailedUsage
from sampan.host.mounts import MountEntry, mount_entries

_V1_CONTROLLERS = frozenset(
    ("cpu", "cpuacct", "memory", "pids", "devices", "freezer", "blkio", "cpuset", "name=systemd")
)
_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")
_KILL_ROUNDS = 100
_FREEZE_ROUNDS, _FREEZE_PAUSE = 1000, 0.002
_CLEAR_ROUNDS, _CLEAR_PAUSE = 100, 0.005


class ControlGroupUsage(msgspec.Struct, frozen=True, kw_only=True):
    """CPU in nanoseconds since the group was made; memory in bytes and tasks now."""

    cpu: int
    memory: int
    pids: int


class ControlGroups:
    """The control groups of this host. `hierarchies` maps a v1 controller, or "" for v2,
    to where its hierarchy is mounted."""

    def __init__(self, version: Literal[1, 2], hierarchies: dict[str, Path]) -> None:
        self.version = version
        self._hierarchies = hierarchies

    @property
    def accounts_swap(self) -> bool:
        """Whether memory and swap can be limited together."""
        if self.version == 2:
            return True
        memory = self._hierarchies.get("memory")
        return memory is not None and (memory / "memory.memsw.limit_in_bytes").exists()

    def create(self, name: str, limits: ControlGroupLimits | None = None) -> None:
        """Make a group and those above it; one that is there is kept. Raises OSError."""
        for root in self._roots():
            folder = root
            for part in _parts(name):
                if self.version == 2:
                    _enable_controllers(folder)
                parent, folder = folder, folder / part
                if not folder.exists():
                    folder.mkdir(exist_ok=True)
                    _inherit_cpuset(parent, folder)
        if limits is not None:
            self.set_limits(name, limits)

    def set_limits(self, name: str, limits: ControlGroupLimits) -> None:
        """Write every limit; zero takes one away. Raises OSError."""
        self._write_settings(name, settings(limits, self.version))

    def change_limits(
        self, name: str, before: ControlGroupLimits, after: ControlGroupLimits
    ) -> None:
        """Write those that differ from before. Raises OSError; some may then have changed."""
        self._write_settings(name, changed_settings(before, after, self.version))

    def _write_settings(self, name: str, wanted: Iterable[Setting]) -> None:
        for setting in wanted:
            folder = self._folder(setting.controller, name)
            if folder is not None and (folder / setting.file).exists():
                value = setting.value or _inherited(folder, setting.file, self.version)
                _write(folder / setting.file, value)

    def usage(self, name: str) -> ControlGroupUsage:
        """What a group and those below it use; zero for what the host does not account."""
        if self.version == 2:
            return ControlGroupUsage(
                cpu=self._counter("", name, "cpu.stat", "usage_usec") * 1000,
                memory=self._number("", name, "memory.current"),
                pids=self._number("", name, "pids.current"),
            )
        return ControlGroupUsage(
            cpu=self._number("cpuacct", name, "cpuacct.usage"),
            memory=self._number("memory", name, "memory.usage_in_bytes"),
            pids=self._number("pids", name, "pids.current"),
        )

    def detailed_usage(self, name: str) -> DetailedUsage:
        """All that is counted of a group and those below it; zero for what is not."""
        return cgroup_usage.read(
            self.version, lambda controller, file: self._read(controller, name, file)
        )

    async def freeze(self, name: str) -> None:
        """Stop every process of a group and below; returns when all have stopped.

        Raises OSError; TimeoutError when some would not stop, and then none is stopped.
        """
        self._write_frozen(name, frozen=True)
        for _ in range(_FREEZE_ROUNDS):
            if self.is_frozen(name):
                return
            await asyncio.sleep(_FREEZE_PAUSE)
        self.thaw(name)
        raise TimeoutError(f"the processes of {name} could not be stopped")

    def thaw(self, name: str) -> None:
        """Let the processes of a group go on; no error when the group is gone."""
        try:
            self._write_frozen(name, frozen=False)
        except FileNotFoundError:
            return

    def is_frozen(self, name: str) -> bool:
        """Whether every process of the group is stopped."""
        if self.version == 2:
            return self._counter("", name, "cgroup.events", "frozen") == 1
        return self._read("freezer", name, "freezer.state").strip() == "FROZEN"

    def _write_frozen(self, name: str, *, frozen: bool) -> None:
        """Raises OSError."""
        if self.version == 2:
            folder, file, value = self._folder("", name), "cgroup.freeze", "1" if frozen else "0"
        else:
            folder, file = self._folder("freezer", name), "freezer.state"
            value = "FROZEN" if frozen else "THAWED"
        if folder is None:
            raise OSError(errno.ENOTSUP, "this host has no freezer", name)
        with (folder / file).open("r+") as written:
            written.write(value)

    def out_of_memory_kills(self, name: str) -> int:
        """How many processes the kernel has killed at the group's memory limit."""
        if self.version == 2:
            return self._counter("", name, "memory.events", "oom_kill")
        return self._counter("memory", name, "memory.oom_control", "oom_kill")

    def processes(self, name: str) -> set[int]:
        """The processes in a group and those below it, as this PID namespace numbers them."""
        found = set()
        for root in self._roots():
            for folder in _subtree(root.joinpath(*_parts(name))):
                found.update(_processes_in(folder))
        return found - {0}

    def add_process(self, name: str, process: int) -> None:
        """Move a process into a group. Raises OSError."""
        for root in self._roots():
            (root.joinpath(*_parts(name)) / "cgroup.procs").write_text(str(process))

    def expect_moves(self) -> None:
        """Make moves of processes quick for the next some 10 ms. Blocks about as long (OSError).

        The first move after a while waits until every processor has seen that one is coming
        (percpu_down_write in the kernel's cgroup_attach_lock); those soon after it don't. Moving
        ourselves to where we are is such a first move.
        """
        root = next(iter(self._roots()))
        with (root.joinpath(*_own_parts(self._hierarchies)) / "cgroup.procs").open("w") as file:
            file.write("0")

    def kill_all(self, name: str) -> None:
        """SIGKILL everything in a group and below; again until nothing new appears."""
        if self.version == 2:
            killer = self._hierarchies[""].joinpath(*_parts(name), "cgroup.kill")
            if killer.exists():
                killer.write_text("1")
                return
        killed: set[int] = set()
        for _ in range(_KILL_ROUNDS):
            fresh = self.processes(name) - killed
            if not fresh:
                return
            for process in fresh:
                _kill(process)
            killed |= fresh

    def remove(self, name: str) -> None:
        """Remove a group and those below it, whose processes must have ended.

        No error when there is none; OSError (EBUSY) when a process is left.
        """
        for root in self._roots():
            for folder in reversed(list(_subtree(root.joinpath(*_parts(name))))):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    continue

    async def clear(self, name: str) -> None:
        """End everything in a group and below, and remove it once all of it is gone.

        Raises OSError (EBUSY) when something would not end.
        """
        for _ in range(_CLEAR_ROUNDS):
            self.kill_all(name)
            self.thaw(name)
            identities = map(processes.identity_of, self.processes(name))
            await asyncio.gather(*(processes.until_ended(each) for each in identities if each))
            try:
                self.remove(name)
            except OSError as error:
                # The kernel lets go of a group a moment after its last process is told to be gone.
                if error.errno != errno.EBUSY:
                    raise
                await asyncio.sleep(_CLEAR_PAUSE)
            else:
                return
        self.remove(name)

    def exists(self, name: str) -> bool:
        """Whether any hierarchy has the group."""
        return any(root.joinpath(*_parts(name)).is_dir() for root in self._roots())

    def _roots(self) -> Iterable[Path]:
        return dict.fromkeys(self._hierarchies.values())

    def _folder(self, controller: str, name: str) -> Path | None:
        root = self._hierarchies.get(controller)
        return None if root is None else root.joinpath(*_parts(name))

    def has_file(self, name: str, controller: str, file: str) -> bool:
        """Whether a group has a file of a controller, "" being version 2's."""
        folder = self._folder(controller, name)
        return folder is not None and (folder / file).exists()

    def _read(self, controller: str, name: str, file: str) -> str:
        """A file's text, "" when the controller or the file isn't there. Raises OSError."""
        folder = self._folder(controller, name)
        if folder is None:
            return ""
        try:
            return (folder / file).read_text()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV):
                return ""
            raise

    def _number(self, controller: str, name: str, file: str) -> int:
        return int(self._read(controller, name, file).strip() or 0)

    def _counter(self, controller: str, name: str, file: str, key: str) -> int:
        for line in self._read(controller, name, file).splitlines():
            word, _, value = line.partition(" ")
            if word == key:
                return int(value)
        return 0


def control_groups() -> ControlGroups:
    """The control groups as this process's mount namespace shows them."""
    return hierarchies_of(mount_entries())


def hierarchies_of(entries: Iterable[MountEntry]) -> ControlGroups:
    """v1 when a v1 controller is mounted, else v2. Raises OSError when there is neither."""
    first: dict[str, Path] = {}
    unified: Path | None = None
    for entry in entries:
        if entry.filesystem == "cgroup":
            for controller in _V1_CONTROLLERS.intersection(entry.super_options):
                first[controller] = Path(entry.target)
        elif entry.filesystem == "cgroup2":
            unified = Path(entry.target)
    if first.keys() - {"name=systemd"}:
        return ControlGroups(1, first)
    if unified is None:
        raise OSError(errno.ENOENT, "no control group hierarchy is mounted", "/sys/fs/cgroup")
    return ControlGroups(2, {"": unified})


def _own_parts(hierarchies: Mapping[str, Path]) -> list[str]:
    """The calling process's group in the first of some hierarchies (cgroups(7))."""
    first = next(iter(hierarchies))
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if first in controllers.split(","):
            return [part for part in path.split("/") if part]
    raise OSError(errno.ENOENT, "the process is in no control group of", first)


def _parts(name: str) -> list[str]:
    parts = [part for part in name.split("/") if part]
    if not parts or any(part in (".", "..") for part in parts):
        raise ValueError(f"{name!r} is not the relative name of a control group")
    return parts


def _write(file: Path, value: str) -> None:
    """Raises OSError that names the file: the kernel refuses a value when it is written."""
    try:
        file.write_text(value)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def _inherited(folder: Path, file: str, version: Literal[1, 2]) -> str:
    """What means "no list of its own" in a cpuset: version 1 knows its parent's list only."""
    return "\n" if version == 2 else (folder.parent / file).read_text()


def _enable_controllers(folder: Path) -> None:
    available = (folder / "cgroup.controllers").read_text().split()
    enabled = (folder / "cgroup.subtree_control").read_text().split()
    for controller in _V2_CONTROLLERS:
        if controller in available and controller not in enabled:
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _inherit_cpuset(parent: Path, folder: Path) -> None:
    """A v1 cpuset takes no process before it has processors and memory nodes."""
    if not (folder / "cpuset.cpu_exclusive").exists():
        return
    for file in ("cpuset.cpus", "cpuset.mems"):
        if not (folder / file).read_text().strip():
            (folder / file).write_text((parent / file).read_text())


def _subtree(folder: Path) -> Iterator[Path]:
    """The folder and all below it, each before its children."""
    for path, _, _ in os.walk(folder):
        yield Path(path)


def _processes_in(folder: Path) -> set[int]:
    try:
        return {int(line) for line in (folder / "cgroup.procs").read_text().split()}
    except FileNotFoundError:
        return set()
    except OSError as error:
        # ENODEV: the group was removed after the file was opened.
        if error.errno == errno.ENODEV:
            return set()
        raise


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
