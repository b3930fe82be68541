"""What a session of tests leaves on the machine, told by the mark that its names bear.

Others may start and end things meanwhile: only what bears the mark, in its name, its folder or
its environment, is this session's.
"""

import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from sampan.foundation.settings import Instance
from sampan.host.mounts import parse_mountinfo

MARK_VARIABLE = "SAMPAN_TEST_MARK"
MARK = os.environ.setdefault(MARK_VARIABLE, secrets.token_hex(3))
_FOLDERS = ("/run", "/run/netns", "/var/lib", "/var/log", "/etc", "/tmp")
_GROUPS = Path("/sys/fs/cgroup")
_GROUP_DEPTH = 3
_PATIENCE_SECONDS = 5.0
_RUN = re.compile(r"sampan(-[a-z]([a-z0-9-]{0,18}[a-z0-9])?)?$")
_DEVICE = re.compile(r"(sampan|sp\d+)-")


def instance_name(kind: str) -> str:
    """A fresh name for an instance of this session, of 10 letters and those of `kind`."""
    return f"{kind}{MARK}{secrets.token_hex(2)}"


class Session:
    """Made before the first test; `folder` is pytest's own, `temporary` that of all programs."""

    def __init__(self, folder: Path, temporary: Path, patience: float = _PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._before: frozenset[str] = frozenset()
        self._marks = (MARK, str(folder), str(temporary))
        self._temporary = temporary
        self._devices = _devices()
        # Other tests of this session may hold something to its end.
        self._before = frozenset(self._found())

    def leftovers(self) -> list[str]:
        """What is still there, each with its name; what is about to end is given a moment."""
        deadline = time.monotonic() + self._patience
        while (found := self._found()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def _found(self) -> list[str]:
        return [it for it in self._named() if it not in self._before]

    def _named(self) -> list[str]:
        return [
            *_processes(self._bears),
            *_mounts(self._bears),
            *_groups(self._bears),
            *(f"folder {entry}" for name in _FOLDERS for entry in _entries(Path(name))
              if MARK in entry.name and entry != self._temporary),
            *(f"interface {name}" for name in sorted(_devices() - self._devices)),
            *_tables(self._bears),
        ]  # fmt: skip

    def _bears(self, text: str) -> bool:
        return any(mark in text for mark in self._marks)


def _processes(is_ours: Callable[[str], bool]) -> list[str]:
    """By environment, command line or control group; the test's own process bears no mark there."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        if int(process) == os.getpid():
            continue
        shown = [_text(Path("/proc", process, name)) for name in ("environ", "cmdline", "cgroup")]
        if is_ours("\0".join(shown)):
            found.append(f"process {process} {shown[1].replace(chr(0), ' ')[:200]}")
    return found


def _mounts(is_ours: Callable[[str], bool]) -> list[str]:
    entries = parse_mountinfo(_text(Path("/proc/self/mountinfo")))
    return [f"mount {entry.target}" for entry in entries if is_ours(entry.target)]


def _groups(is_ours: Callable[[str], bool]) -> list[str]:
    depths = range(1, _GROUP_DEPTH + 1)
    groups = (path for depth in depths for path in _GROUPS.glob("/".join("*" * depth)))
    return [f"group {path}" for path in groups if is_ours(path.name) and path.is_dir()]


def _devices() -> set[str]:
    """The interfaces of this network that bear a name as ours do, but those of instances that
    others run: in theirs there is a number alone, which their own names lead to."""
    names = {name for name in os.listdir("/sys/class/net") if _DEVICE.match(name)}
    running = [entry.name for entry in _entries(Path("/run")) if MARK not in entry.name]
    others = [Instance(name=name.removeprefix("sampan-")) for name in running if _RUN.match(name)]
    prefixes = tuple(other.interface("") for other in others)
    return {name for name in names if not name.startswith(prefixes)}


def _tables(is_ours: Callable[[str], bool]) -> list[str]:
    listed = subprocess.run(
        ["/usr/sbin/nft", "list", "tables"], capture_output=True, text=True, check=True, timeout=10
    )
    return [line for line in listed.stdout.splitlines() if is_ours(line)]


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:  # the process has ended
        return ""
