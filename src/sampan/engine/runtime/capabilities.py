"""Which capabilities a container gets: a default set, what is added, what is dropped.

Names are as in capabilities(7), with or without `CAP_`. Pure: what the host may give at all
is an argument.
"""

from collections.abc import Iterable

from sampan.engine.contract import InvalidConfiguration

# In the order of their numbers in the kernel's capability.h.
_NAMES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
_DEFAULT_NAMES = """
CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP
NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE
"""
ALL = tuple(f"CAP_{name}" for name in _NAMES.split())
DEFAULT = frozenset(f"CAP_{name}" for name in _DEFAULT_NAMES.split())
_WHOLE_SET = "ALL"


def from_mask(mask: int) -> frozenset[str]:
    """The capabilities whose bits are set, as in /proc/PID/status."""
    return frozenset(name for bit, name in enumerate(ALL) if mask >> bit & 1)


def effective(
    added: Iterable[str], dropped: Iterable[str], *, privileged: bool, available: frozenset[str]
) -> frozenset[str]:
    """What a container gets; `available` bounds it. Raises InvalidConfiguration."""
    if privileged:
        return frozenset(ALL) & available
    wanted_away, wanted = _named(dropped), _named(added)
    base = frozenset() if _WHOLE_SET in wanted_away else DEFAULT - wanted_away
    if _WHOLE_SET in wanted:
        return frozenset(ALL) & available - wanted_away
    return (base | wanted) & available


def unknown(names: Iterable[str]) -> list[str]:
    """The full names of those that there are not."""
    return [name for name in map(_full, names) if name != _WHOLE_SET and name not in ALL]


def _named(names: Iterable[str]) -> frozenset[str]:
    found = tuple(names)
    for name in unknown(found):
        raise InvalidConfiguration(f'unknown capability: "{name}"')
    return frozenset(map(_full, found))


def _full(name: str) -> str:
    upper = name.upper()
    return upper if upper == _WHOLE_SET else "CAP_" + upper.removeprefix("CAP_")
