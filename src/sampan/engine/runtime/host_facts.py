"""Reading what this host can give to containers, from /proc/self and the resource limits."""

import resource
from pathlib import Path

from sampan.engine.runtime import capabilities
from sampan.engine.runtime.specification import HostFacts

_RAISES_LIMITS = "CAP_SYS_RESOURCE"


def host_facts(*, accounts_swap: bool) -> HostFacts:
    """The facts of the calling process, which its containers can't go beyond.

    Without CAP_SYS_RESOURCE no score may be lower than our own (proc_pid_oom_score_adj(5)).
    """
    bounding = capabilities.from_mask(_mask("CapBnd"))
    score = None
    if _RAISES_LIMITS not in capabilities.from_mask(_mask("CapEff")):
        score = int(Path("/proc/self/oom_score_adj").read_text())
    return HostFacts(
        capabilities=bounding,
        accounts_swap=accounts_swap,
        open_files_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        lowest_out_of_memory_score=score,
    )


def _mask(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value, 16)
    return 0
