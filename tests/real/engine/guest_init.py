"""The first process of the guest: mounts what a machine has, runs pytest, and powers off.

It runs inside the guest only, on nothing but the standard library.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

_LIBRARY = ctypes.CDLL(None, use_errno=True)
_FINIT_MODULE = 313
_MS_BIND, _MS_MOVE = 4096, 8192
_POWER_OFF = 0x4321FEDC
_MOUNTS = (
    ("proc", "/proc", "proc"),
    ("sysfs", "/sys", "sysfs"),
    ("devtmpfs", "/dev", "devtmpfs"),
    ("tmpfs", "/run", "tmpfs"),
    ("cgroup2", "/sys/fs/cgroup", "cgroup2"),
)


def mount(source: str, target: str, kind: str, flags: int = 0) -> None:
    Path(target).mkdir(exist_ok=True)
    result = _LIBRARY.mount(source.encode(), target.encode(), kind.encode(), flags, None)
    assert result == 0, f"{target}: {os.strerror(ctypes.get_errno())}"


def enter_movable_root() -> None:
    """The kernel's first root can't be pivoted away from, which the runtime wants to do."""
    mount("/", "/newroot", "", _MS_BIND)
    os.chdir("/newroot")
    mount(".", "/", "", _MS_MOVE)
    os.chroot(".")
    os.chdir("/")


def main() -> int:
    enter_movable_root()
    for source, target, kind in _MOUNTS:
        mount(source, target, kind)
    os.mkdir("/dev/pts")
    mount("devpts", "/dev/pts", "devpts")
    os.mkdir("/dev/shm")
    mount("tmpfs", "/dev/shm", "tmpfs")
    for module in sorted(Path("/modules").iterdir()):
        descriptor = os.open(module, os.O_RDONLY)
        assert _LIBRARY.syscall(_FINIT_MODULE, descriptor, b"", 0) == 0, module
        os.close(descriptor)
    with open("/dev/console", "wb", buffering=0) as console:
        os.dup2(console.fileno(), 1)
        os.dup2(console.fileno(), 2)
    tree = next(
        path for path in Path("/").glob("*/**/sampan") if path.parent.name == "src"
    ).parents[1]
    # The tree itself may lie below /tmp.
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": f"{tree}/src",
        "TMPDIR": "/run",
    }
    arguments = Path("/arguments").read_text().split("\n")
    command = (sys.executable, "-B", "-m", "pytest", *arguments)
    return subprocess.run(command, cwd=tree, env=environment, check=False).returncode


if __name__ == "__main__":
    code = -1
    try:
        code = main()
    finally:
        print(f"\nguest-result={code} ", flush=True)
        os.sync()
        _LIBRARY.reboot(_POWER_OFF)
