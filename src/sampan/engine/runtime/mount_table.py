"""The mounts of a container in the order in which they are made: a pure function.

Sources: the OCI runtime specification 1.1 (config, "Mounts"; config-linux, "Default
Filesystems"), mount(2), tmpfs(5).
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from sampan.engine.configuration import ContainerConfiguration, Mount
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.runtime import cdi_documents
from sampan.engine.runtime.surroundings import INIT_PATH, Surroundings

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the container's own, mounted afresh
_KERNEL = ["nosuid", "noexec", "nodev"]
# Files below /proc that other programs make up for containers.
_OVER_PROC = frozenset(
    (
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/loadavg",
        "/proc/meminfo",
        "/proc/slabinfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/uptime",
    )
)
_TMPFS_WORDS = """
rw ro exec noexec suid nosuid dev nodev sync async dirsync mand nomand atime noatime diratime
nodiratime relatime norelatime strictatime nostrictatime private rprivate shared rshared slave
rslave unbindable runbindable
"""
_TMPFS_FLAGS = frozenset(_TMPFS_WORDS.split())
_TMPFS_VALUE = re.compile(r"(size|nr_blocks|nr_inodes|mode|uid|gid|mpol|huge)=[-A-Za-z0-9_:,%]+")
_WIDEST = ("shared", "slave")


def mount_table(
    configuration: ContainerConfiguration, surroundings: Surroundings
) -> list[dict[str, Any]]:
    """The `mounts` member; what is mounted by wish takes the place of what is there by default.

    Raises InvalidConfiguration.
    """
    wanted = [_user_mount(mount) for mount in configuration.mounts]
    wanted += cdi_documents.mounts(surroundings.edits)
    wanted.sort(key=lambda mount: mount["destination"].count("/"))
    taken = {mount["destination"] for mount in wanted}
    table = [
        mount
        for mount in _default_mounts(configuration, surroundings)
        if mount["destination"] not in taken
    ]
    return table + wanted


def root_propagation(configuration: ContainerConfiguration) -> str:
    """The `linux.rootfsPropagation` member that the mounts need; "" for the runtime's own."""
    propagations = {mount.propagation.removeprefix("r") for mount in configuration.mounts}
    for each in _WIDEST:
        if each in propagations:
            return f"r{each}"
    return ""


def _default_mounts(
    configuration: ContainerConfiguration, surroundings: Surroundings
) -> Iterator[dict[str, Any]]:
    system = _KERNEL if configuration.privileged else [*_KERNEL, "ro"]
    yield _mount("/proc", "proc", "proc", _KERNEL)
    yield _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"])
    yield _mount(
        "/dev/pts",
        "devpts",
        "devpts",
        ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    )
    yield from _shared_memory(configuration, surroundings)
    yield _mount("/dev/mqueue", "mqueue", "mqueue", _KERNEL)
    yield _mount("/sys", "sysfs", "sysfs", system)
    yield _mount("/sys/fs/cgroup", "cgroup", "cgroup", [*system, "relatime"])
    if surroundings.init:
        yield _mount(INIT_PATH, "bind", surroundings.init, ["bind", "rprivate", "ro"])


def _shared_memory(
    configuration: ContainerConfiguration, surroundings: Surroundings
) -> Iterator[dict[str, Any]]:
    folder = _SHARED_MEMORY if configuration.ipc_mode == "host" else surroundings.shared_memory
    if folder:
        yield _mount(_SHARED_MEMORY, "bind", folder, ["rbind", "rprivate", "rw"])
    elif configuration.ipc_mode != "none":
        size = f"size={configuration.shared_memory_size}"
        yield _mount(_SHARED_MEMORY, "tmpfs", "shm", [*_KERNEL, "mode=1777", size])


def _user_mount(mount: Mount) -> dict[str, Any]:
    target = posixpath.normpath(mount.target)
    target = "/" + target.lstrip("/") if target.startswith("//") else target
    if not target.startswith("/") or target == "/":
        raise InvalidConfiguration(f"{mount.target!r} is not an absolute path to mount at")
    if target.startswith("/proc/") and target not in _OVER_PROC:
        raise InvalidConfiguration(f"{target!r} cannot be mounted because it is inside /proc")
    if mount.kind == "tmpfs":
        return _mount(target, "tmpfs", "tmpfs", _tmpfs_options(mount))
    if not mount.source.startswith("/"):
        raise InvalidConfiguration(f"{mount.source!r} is not an absolute path to mount")
    options = ["rbind" if mount.recursive else "bind", mount.propagation]
    if mount.read_only_recursive:
        options.append("rro")
    options.append("ro" if mount.read_only or mount.read_only_recursive else "rw")
    return _mount(target, "bind", mount.source, options)


def _tmpfs_options(mount: Mount) -> list[str]:
    """The usual options but for those that the wanted ones are the opposite of."""
    for option in mount.options:
        if option not in _TMPFS_FLAGS and not _TMPFS_VALUE.fullmatch(option):
            raise InvalidConfiguration(f"invalid tmpfs option [{option!r}]")
    usual = ["nosuid", "nodev", "noexec", f"mode={mount.mode:o}"]
    if mount.size:
        usual.append(f"size={mount.size}")
    usual.append("ro" if mount.read_only else "rw")
    return [option for option in usual if not _is_overridden(option, mount.options)] + list(
        mount.options
    )


def _is_overridden(option: str, wanted: tuple[str, ...]) -> bool:
    name, separator, _ = option.partition("=")
    if separator:
        return any(each.startswith(f"{name}=") for each in wanted)
    opposite = {"ro": "rw", "rw": "ro"}.get(option, option.removeprefix("no"))
    return opposite in wanted or option in wanted


def _mount(target: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": options}
