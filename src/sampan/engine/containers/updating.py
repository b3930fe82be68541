"""What `docker update` makes of a container's limits and restart policy: pure."""

import msgspec

from sampan.engine.containers import restart_policy
from sampan.engine.containers.configuration import (
    HostConfiguration,
    Resources,
    UpdateConfiguration,
)
from sampan.engine.containers.host_defaults import memory_and_swap
from sampan.engine.containers.machine_limits import LimitedBy
from sampan.engine.contract import Conflict

_OF_CREATION = frozenset(
    {
        *("cgroup_parent", "devices", "device_cgroup_rules", "device_requests", "ulimits"),
        *("out_of_memory_kill_disabled", "cpu_count", "cpu_percent"),
        *("io_maximum_operations", "io_maximum_bandwidth"),
    }
)


def updated(
    host: HostConfiguration, changes: UpdateConfiguration, groups: LimitedBy
) -> HostConfiguration:
    """The limits that are said, over those that were. Raises InvalidConfiguration, Conflict.

    What can only be said when a container is created is passed over, as Docker does it.
    """
    _check_conflicts(host, changes)
    said = {}
    for field in msgspec.structs.fields(Resources):
        if field.name in _OF_CREATION:
            continue
        value = getattr(changes, field.name)
        if value not in (None, field.default):
            said[field.name] = value
    if changes.restart_policy.name:
        said["restart_policy"] = restart_policy.checked(changes.restart_policy)
    if not changes.memory_swap and 0 < host.memory_swap < changes.memory:
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the "
            "memoryswap at the same time"
        )
    changed = msgspec.structs.replace(host, **said)
    return msgspec.structs.replace(changed, memory_swap=memory_and_swap(changed, groups))


def _check_conflicts(host: HostConfiguration, changes: UpdateConfiguration) -> None:
    for name, former in (("CPU Period", host.cpu_period), ("CPU Quota", host.cpu_quota)):
        if changes.nano_cpus > 0 and former > 0:
            raise Conflict(
                f"Conflicting options: Nano CPUs cannot be updated as {name} has already been set"
            )
    for name, wanted in (("CPU Period", changes.cpu_period), ("CPU Quota", changes.cpu_quota)):
        if wanted > 0 and host.nano_cpus > 0:
            raise Conflict(
                f"Conflicting options: {name} cannot be updated as NanoCPUs has already been set"
            )
