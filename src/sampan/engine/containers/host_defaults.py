"""What holds for a container where its client said nothing of the machine: pure.

The rules are Docker's, so that an inspection shows what is in force; references to other
containers are not looked up here.
"""

import msgspec

from sampan.engine.containers.configuration import HostConfiguration, LogConfiguration
from sampan.engine.containers.machine_limits import LimitedBy
from sampan.engine.networks.contract import BRIDGE, DEFAULT_MODE
from sampan.engine.runtime.specification import USUAL_MASKED_PATHS, USUAL_READ_ONLY_PATHS

DEFAULT_LOG = "json-file"
DEFAULT_RUNTIME = "crun"
_SHARED_MEMORY = 64 << 20


def with_defaults(host: HostConfiguration, groups: LimitedBy) -> HostConfiguration:
    """The configuration that is kept."""
    log = host.log_configuration
    return msgspec.structs.replace(
        host,
        network_mode=BRIDGE if host.network_mode in ("", DEFAULT_MODE) else host.network_mode,
        ipc_mode=host.ipc_mode or "private",
        cgroup_namespace_mode=host.cgroup_namespace_mode or "private",
        shared_memory_size=host.shared_memory_size or _SHARED_MEMORY,
        runtime=host.runtime or DEFAULT_RUNTIME,
        restart_policy=msgspec.structs.replace(
            host.restart_policy, name=host.restart_policy.name or "no"
        ),
        log_configuration=LogConfiguration(
            kind=log.kind or DEFAULT_LOG, configuration=log.configuration or {}
        ),
        memory_swap=memory_and_swap(host, groups),
        out_of_memory_kill_disabled=_kill_disabled(host, groups),
        masked_paths=_paths(host, host.masked_paths, USUAL_MASKED_PATHS),
        read_only_paths=_paths(host, host.read_only_paths, USUAL_READ_ONLY_PATHS),
    )


def memory_and_swap(host: HostConfiguration, groups: LimitedBy) -> int:
    """As much swap as memory, where nothing is said; no limit where swap can't be counted."""
    if not host.memory:
        return host.memory_swap
    if not groups.accounts_swap:
        return -1
    return host.memory_swap or 2 * host.memory


def _kill_disabled(host: HostConfiguration, groups: LimitedBy) -> bool | None:
    """Version 2 of control groups knows no such thing."""
    return bool(host.out_of_memory_kill_disabled) if groups.version == 1 else None


def _paths(
    host: HostConfiguration, wanted: tuple[str, ...] | None, usual: tuple[str, ...]
) -> tuple[str, ...] | None:
    """A privileged container has all of /proc and /sys."""
    return usual if wanted is None and not host.privileged else wanted
