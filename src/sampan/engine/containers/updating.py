"""What `docker update` makes of a container's limits and restart policy: pure."""

import msgspec

from sampan.engine.containers import restart_policy
from sampan.engine.containers.configuration import (
    HostConfiguration,
    Resources,
    UpdateConfiguration,
)
from sampan.engine.containers.host_defaults import LimitedBy, memory_and_swap
from sampan.engine.contract import Conflict


def updated(
    host: HostConfiguration, changes: UpdateConfiguration, groups: LimitedBy
) -> HostConfiguration:
    """The limits that are said, over those that were. Raises InvalidConfiguration, Conflict."""
    said = {}
    for field in msgspec.structs.fields(Resources):
        value = getattr(changes, field.name)
        if value not in (None, field.default):
            said[field.name] = value
    if changes.restart_policy.name:
        said["restart_policy"] = restart_policy.checked(changes.restart_policy)
    if "nano_cpus" in said and not (changes.cpu_period or changes.cpu_quota):
        said |= {"cpu_period": 0, "cpu_quota": 0}
    elif changes.cpu_period or changes.cpu_quota:
        said |= {"nano_cpus": 0}
    if not changes.memory_swap and 0 < host.memory_swap < changes.memory:
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the "
            "memoryswap at the same time"
        )
    changed = msgspec.structs.replace(host, **said)
    return msgspec.structs.replace(changed, memory_swap=memory_and_swap(changed, groups))
