"""Reading what this host can give to containers, from /proc, /sys and the resource limits."""

import os
from pathlib import Path

from sampan.engine.runtime import capabilities
from sampan.engine.runtime.resource_limits import highest_limits
from sampan.engine.runtime.specification import HostFacts
from sampan.host.cgroups import ControlGroups

_RAISES_LIMITS = "CAP_SYS_RESOURCE"
_APP_ARMOR = Path("/sys/module/apparmor/parameters/enabled")
_MOST_OPEN_FILES = Path("/proc/sys/fs/nr_open")


def host_facts(control_groups: ControlGroups) -> HostFacts:
    """The facts of the calling process, which its containers can't go beyond.

    Without CAP_SYS_RESOURCE no score may be lower than our own (proc_pid_oom_score_adj(5)).
    """
    score, highest = None, {"nofile": int(_MOST_OPEN_FILES.read_text())}
    if _RAISES_LIMITS not in capabilities.from_mask(_mask("CapEff")):
        score = int(Path("/proc/self/oom_score_adj").read_text())
        highest = highest_limits()
    system = os.uname()
    return HostFacts(
        capabilities=capabilities.from_mask(_mask("CapBnd")),
        accounts_swap=control_groups.accounts_swap,
        control_group_version=control_groups.version,
        highest_limits=highest,
        lowest_out_of_memory_score=score,
        confines_by_app_armor=confines_by_app_armor(),
        machine=system.machine,
        kernel_release=system.release,
    )


def confines_by_app_armor() -> bool:
    """Whether the kernel knows AppArmor, and it is on."""
    return _APP_ARMOR.exists() and _APP_ARMOR.read_text().strip() == "Y"


def _mask(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value, 16)
    return 0
