"""Kernel parameters of the calling thread's network namespace (sysctl(8)).

Which parameters a node needs is not known here.
"""

from pathlib import Path

_ROOT = Path("/proc/sys")


def set_sysctl(name: str, value: str) -> bool:
    """Set a parameter named with slashes (`net/ipv4/ip_forward`) unless it has the value.

    False if the kernel has no such parameter; other failures are OSError.
    """
    path = _ROOT / name
    try:
        if path.read_text().split() != value.split():
            path.write_text(value)
    except FileNotFoundError:
        return False
    return True


def read_sysctl(name: str) -> str:
    """The value of a parameter; "" if the kernel has none of this name (OSError)."""
    try:
        return (_ROOT / name).read_text().strip()
    except FileNotFoundError:
        return ""
