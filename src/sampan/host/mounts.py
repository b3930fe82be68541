"""Mounts: attaching, detaching and listing them, by mount(2) and umount2(2).

Nothing here knows what is mounted for whom. All of it acts on the calling process's own
mount namespace.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MNT_DETACH = 2

UNIFIED_HIERARCHY = Path("/sys/fs/cgroup/unified")
_libc = ctypes.CDLL(None, use_errno=True)


class MountEntry(msgspec.Struct, frozen=True):
    """One line of /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

    target: str
    filesystem: str
    source: str
    options: tuple[str, ...]
    super_options: tuple[str, ...]


def mount(source: str, target: str, filesystem: str, flags: int = 0, options: str = "") -> None:
    """mount(2). Raises OSError that names the target."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        filesystem.encode() or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
    )
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def unmount(target: str | os.PathLike[str], *, lazily: bool = False) -> None:
    """umount2(2). Raises OSError; EINVAL when nothing is mounted there."""
    if _libc.umount2(os.fsencode(target), MNT_DETACH if lazily else 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(target))


def unmount_if_mounted(target: str | os.PathLike[str]) -> None:
    """Detach what is mounted at a path, if that is there and anything is. Raises OSError."""
    try:
        unmount(target, lazily=True)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def mount_tmpfs(target: str, *, size: int = 0, mode: int = 0o755) -> None:
    """A file system in memory; `size` in bytes, 0 for the kernel's default."""
    options = f"mode={mode:o}" + (f",size={size}" if size else "")
    mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options)


def mount_bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Make `source` appear at `target`, with the mounts below it."""
    mount(source, target, "", MS_BIND | MS_REC)
    if read_only:
        make_read_only(target)


def bind_opened(opened: int, target: Path) -> None:
    """Make the file or folder behind a descriptor appear at `target`, which is made for it."""
    if stat.S_ISDIR(os.fstat(opened).st_mode):
        target.mkdir(mode=0o750, exist_ok=True)
    else:
        target.touch(mode=0o640)
    mount_bind(f"/proc/self/fd/{opened}", str(target))


def make_read_only(target: str) -> None:
    """Let nobody write through the mount at `target` itself."""
    mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY)


def mount_proc() -> None:
    """Show the processes of the calling process's PID namespace in /proc (OSError)."""
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def mount_sysfs() -> None:
    """Show the interfaces of the calling thread's network namespace in /sys (OSError)."""
    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def mount_overlay(
    lower: Sequence[Path], upper: Path, work: Path, target: Path, *, durable: bool = False
) -> None:
    """An overlay file system; `lower` goes from the topmost layer down.

    The layers are passed as descriptors: the kernel takes one page of options, too little for
    the paths of many layers. Unless it is to be durable, `volatile` leaves out the syncing of
    an upper folder that nobody wants after a power cut (kernel documentation,
    filesystems/overlayfs, since 5.10).
    """
    descriptors = [os.open(folder, os.O_PATH | os.O_DIRECTORY) for folder in lower]
    try:
        layers = ":".join(f"/proc/self/fd/{descriptor}" for descriptor in descriptors)
        options = f"lowerdir={layers},upperdir={upper},workdir={work}"
        options += ",redirect_dir=off,metacopy=off" + ("" if durable else ",volatile")
        mount("overlay", str(target), "overlay", 0, options)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def stop_propagation(*, receive: bool = False) -> None:
    """Keep the mounts of this namespace to itself; with `receive`, still take in the host's."""
    mount("none", "/", "", MS_REC | (MS_SLAVE if receive else MS_PRIVATE))


def hide_unified_hierarchy() -> bool:
    """Detach the nearly empty v2 hierarchy of a hybrid host in this mount namespace.

    The OCI runtime takes a host for a v2 host when it sees it. To be called in a mount
    namespace of one's own whose mounts don't propagate; True when there was one.
    """
    if not any(entry.target == str(UNIFIED_HIERARCHY) for entry in mount_entries()):
        return False
    unmount(UNIFIED_HIERARCHY, lazily=True)
    return True


def mount_entries() -> list[MountEntry]:
    """What is mounted in this process's namespace."""
    return parse_mountinfo(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))


def filesystem_of(path: Path) -> str:
    """The kind of file system that a path lies on: that of the mount nearest above it, or ""."""
    found = ""
    longest = -1
    for entry in mount_entries():
        target = Path(entry.target)
        # Of several mounts at one place the last is seen.
        if path.is_relative_to(target) and len(target.parts) >= longest:
            found, longest = entry.filesystem, len(target.parts)
    return found


def parse_mountinfo(text: str) -> list[MountEntry]:
    """The entries of a mountinfo file, in its order."""
    entries = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, tail = left.split(" "), right.split(" ")
        entries.append(
            MountEntry(
                target=_unescape(fields[4]),
                options=tuple(fields[5].split(",")),
                filesystem=tail[0],
                source=_unescape(tail[1]),
                super_options=tuple(tail[2].split(",")),
            )
        )
    return entries


def _unescape(field: str) -> str:
    for escaped, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(escaped, plain)
    return field
