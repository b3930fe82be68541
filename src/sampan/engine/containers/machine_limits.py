"""Which limits the machine can hold, and what becomes of those that it can't: Docker's words.

A machine can do what its control groups have files for. What it can't do is discarded, and the
client is told; that a container may not run for it is for the client to decide.
"""

from typing import Literal, TypeVar

import msgspec

from sampan.engine.containers.configuration import Resources
from sampan.engine.contract import InvalidConfiguration
from sampan.host.cgroups import ControlGroups

ResourcesT = TypeVar("ResourcesT", bound=Resources)


class LimitedBy(msgspec.Struct, frozen=True):
    """What the machine's control groups can do; by its own name each, and with swap together."""

    version: Literal[1, 2] = 2
    accounts_swap: bool = True
    memory: bool = True
    memory_reservation: bool = True
    memory_swappiness: bool = True
    out_of_memory_kill_disabled: bool = True
    processes: bool = True
    cpu_time: bool = True
    cpu_shares: bool = True
    cpu_sets: bool = True
    io_weight: bool = True
    io_device_weights: bool = True
    read_bytes: bool = True
    write_bytes: bool = True
    read_operations: bool = True
    write_operations: bool = True


_THROTTLES = {
    "read_bytes": "blkio.throttle.read_bps_device",
    "write_bytes": "blkio.throttle.write_bps_device",
    "read_operations": "blkio.throttle.read_iops_device",
    "write_operations": "blkio.throttle.write_iops_device",
}
# Of version 1 with their controllers. One file of several is enough.
_FILES_V1: dict[str, tuple[str, tuple[str, ...]]] = {
    "accounts_swap": ("memory", ("memory.memsw.limit_in_bytes",)),
    "memory": ("memory", ("memory.limit_in_bytes",)),
    "memory_reservation": ("memory", ("memory.soft_limit_in_bytes",)),
    "memory_swappiness": ("memory", ("memory.swappiness",)),
    "out_of_memory_kill_disabled": ("memory", ("memory.oom_control",)),
    "processes": ("pids", ("pids.max",)),
    "cpu_time": ("cpu", ("cpu.cfs_quota_us",)),
    "cpu_shares": ("cpu", ("cpu.shares",)),
    "cpu_sets": ("cpuset", ("cpuset.cpus",)),
    "io_weight": ("blkio", ("blkio.weight", "blkio.bfq.weight")),
    "io_device_weights": ("blkio", ("blkio.weight_device", "blkio.bfq.weight_device")),
    **{name: ("blkio", (file,)) for name, file in _THROTTLES.items()},
}
_FILES_V2: dict[str, tuple[str, ...]] = {
    "accounts_swap": ("memory.swap.max",),
    "memory": ("memory.max",),
    "memory_reservation": ("memory.low",),
    "memory_swappiness": (),
    "out_of_memory_kill_disabled": (),
    "processes": ("pids.max",),
    "cpu_time": ("cpu.max",),
    "cpu_shares": ("cpu.weight",),
    "cpu_sets": ("cpuset.cpus",),
    "io_weight": ("io.weight", "io.bfq.weight"),
    "io_device_weights": ("io.weight", "io.bfq.weight"),
    **dict.fromkeys(_THROTTLES, ("io.max",)),
}


def limited_by(groups: ControlGroups, name: str) -> LimitedBy:
    """What can be done in a group, which is made if it isn't there: the root has fewer files.

    Raises OSError.
    """
    groups.create(name)

    def has(controller: str, files: tuple[str, ...]) -> bool:
        return any(groups.has_file(name, controller, file) for file in files)

    if groups.version == 2:
        return LimitedBy(2, **{each: has("", files) for each, files in _FILES_V2.items()})
    return LimitedBy(1, **{each: has(*place) for each, place in _FILES_V1.items()})


_SUFFIX = "or the cgroup is not mounted."
_CAPABILITIES = f"capabilities {_SUFFIX}"
# A field, what it needs, and what is said when it is discarded.
_NEEDS = (
    (
        "memory_swappiness",
        "memory_swappiness",
        f"memory swappiness {_CAPABILITIES} Memory swappiness",
    ),
    ("memory_reservation", "memory_reservation", f"memory soft limit {_CAPABILITIES} Limitation"),
    ("kernel_memory", "", f"kernel memory limit {_CAPABILITIES} Limitation"),
    ("kernel_memory_tcp", "", f"kernel memory TCP limit {_CAPABILITIES} Limitation"),
    (
        "out_of_memory_kill_disabled",
        "out_of_memory_kill_disabled",
        "OomKillDisable. OomKillDisable",
    ),
    ("processes_limit", "processes", f"PIDs limit {_CAPABILITIES} PIDs limit"),
    ("cpu_shares", "cpu_shares", f"CPU shares {_SUFFIX} Shares"),
    ("cpu_period", "cpu_time", f"CPU CFS scheduler {_SUFFIX} Period"),
    ("cpu_quota", "cpu_time", f"CPU CFS scheduler {_SUFFIX} Quota"),
    ("cpu_set_cpus", "cpu_sets", f"cpuset {_SUFFIX} Cpuset"),
    ("cpu_set_memory_nodes", "cpu_sets", f"cpuset {_SUFFIX} Cpuset"),
    ("block_io_weight", "io_weight", f"Block I/O weight {_SUFFIX} Weight"),
    (
        "block_io_weight_device",
        "io_device_weights",
        f"Block I/O weight_device {_SUFFIX} Weight-device",
    ),
    (
        "block_io_device_read_bytes",
        "read_bytes",
        f"BPS Block I/O read limit {_SUFFIX} Block I/O BPS read limit",
    ),
    (
        "block_io_device_write_bytes",
        "write_bytes",
        f"BPS Block I/O write limit {_SUFFIX} Block I/O BPS write limit",
    ),
    (
        "block_io_device_read_operations",
        "read_operations",
        f"IOPS Block read limit {_SUFFIX} Block I/O IOPS read limit",
    ),
    (
        "block_io_device_write_operations",
        "write_operations",
        f"IOPS Block write limit {_SUFFIX} Block I/O IOPS write limit",
    ),
)


def honoured(wanted: ResourcesT, groups: LimitedBy) -> tuple[ResourcesT, tuple[str, ...]]:
    """What of some limits the machine can hold, and what to tell of the rest.

    Raises InvalidConfiguration for what Docker refuses then.
    """
    if wanted.nano_cpus and not groups.cpu_time:
        raise InvalidConfiguration(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the "
            "cgroup is not mounted"
        )
    told = []
    without: dict[str, object] = {}
    if wanted.memory > 0 and not groups.memory:
        without |= {"memory": 0, "memory_swap": -1}
        told.append(_sentence(f"memory limit {_CAPABILITIES} Limitation"))
    elif wanted.memory > 0 and wanted.memory_swap != -1 and not groups.accounts_swap:
        without |= {"memory_swap": -1}
        told.append(
            f"Your kernel does not support swap limit {_CAPABILITIES} Memory limited without swap."
        )
    defaults = {field.name: field.default for field in msgspec.structs.fields(Resources)}
    for field, ability, said in _NEEDS:
        if not (ability and getattr(groups, ability)) and _is_wanted(getattr(wanted, field)):
            without[field] = defaults[field]
            told.append(_sentence(said))
    return msgspec.structs.replace(wanted, **without), tuple(dict.fromkeys(told))


def _sentence(said: str) -> str:
    return f"Your kernel does not support {said} discarded."


def _is_wanted(value: object) -> bool:
    """-1 leaves a limit open."""
    return bool(value) and value != -1


def missing(groups: LimitedBy) -> tuple[str, ...]:
    """What `docker info` warns of."""
    first, second = groups.version == 1, groups.version == 2
    bounds = {
        "read_bytes": ("rbps", "read_bps"),
        "write_bytes": ("wbps", "write_bps"),
        "read_operations": ("riops", "read_iops"),
        "write_operations": ("wiops", "write_iops"),
    }
    lines: list[tuple[bool, str]] = [
        (groups.memory, "memory limit"),
        (groups.accounts_swap, "swap limit"),
        (groups.out_of_memory_kill_disabled or second, "oom kill disable"),
        (groups.cpu_time, "cpu cfs quota"),
        (groups.cpu_time, "cpu cfs period"),
        (groups.cpu_shares, "cpu shares"),
        (groups.cpu_sets, "cpuset"),
        (groups.io_weight or first, "io.weight"),
        (groups.io_device_weights or first, "io.weight (per device)"),
        *(
            (
                getattr(groups, name),
                f"io.max ({short})" if second else f"blkio.throttle.{long}_device",
            )
            for name, (short, long) in bounds.items()
        ),
    ]
    return tuple(f"WARNING: No {what} support" for there, what in lines if not there)
