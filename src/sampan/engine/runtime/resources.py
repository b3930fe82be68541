"""A container's limits in the terms of the OCI runtime: pure but for the numbers of devices.

Source: the OCI runtime specification 1.1, config-linux, "Control groups". The runtime puts
them into the files of either version of control groups.
"""

import os
import re
import stat
from collections.abc import Mapping
from typing import Any, Literal

from sampan.engine.configuration import DeviceRate, Limits
from sampan.engine.contract import InvalidConfiguration, NotImplementedHere
from sampan.host.cgroup_limits import ControlGroupLimits, IoKind, IoRate

_RATES: dict[str, IoKind] = {
    "throttleReadBpsDevice": "read_bytes",
    "throttleWriteBpsDevice": "write_bytes",
    "throttleReadIOPSDevice": "read_operations",
    "throttleWriteIOPSDevice": "write_operations",
}
_LIST = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")

DeviceNumbers = Mapping[str, tuple[int, int]]


def device_numbers(limits: Limits) -> dict[str, tuple[int, int]]:
    """The numbers of the block devices that limits name. Raises InvalidConfiguration."""
    named = [*limits.io_device_weights, *(rate for _, rates in _rates(limits) for rate in rates)]
    return {device.path: _number(device.path) for device in named}


def resources(
    limits: Limits, numbers: DeviceNumbers, *, accounts_swap: bool, version: Literal[1, 2] = 1
) -> dict[str, Any]:
    """The `linux.resources` member but for its devices: what is not limited is left out.

    So is what this `version` of control groups has no file for, and so are the weights of
    block I/O, whose files runtimes don't all know (`io_weights`).

    Raises InvalidConfiguration.
    """
    _check(limits)
    found = {
        "cpu": _cpu(limits),
        "memory": _memory(limits, accounts_swap=accounts_swap, version=version),
        "pids": {"limit": limits.pids} if limits.pids > 0 else {},
        "blockIO": _block_io(limits, numbers),
    }
    return {name: member for name, member in found.items() if member}


def io_weights(limits: Limits, numbers: DeviceNumbers) -> ControlGroupLimits:
    """The weights of block I/O alone."""
    return ControlGroupLimits(
        io_weight=limits.io_weight,
        io_device_weights=tuple(
            (*numbers[device.path], device.rate) for device in limits.io_device_weights
        ),
    )


def control_group_limits(
    limits: Limits, numbers: DeviceNumbers, *, accounts_swap: bool
) -> ControlGroupLimits:
    """Those that can be changed while a container runs. Raises InvalidConfiguration."""
    _check(limits)
    swap = (limits.memory_and_swap or limits.memory) if accounts_swap else 0
    return ControlGroupLimits(
        cpu_quota=max(limits.cpu_quota, 0),
        cpu_period=limits.cpu_period,
        cpu_shares=limits.cpu_shares,
        processors=limits.processors,
        memory_nodes=limits.memory_nodes,
        memory=max(limits.memory, 0),
        memory_and_swap=swap,
        memory_reservation=max(limits.memory_reservation, 0),
        memory_swappiness=limits.memory_swappiness,
        pids=max(limits.pids, 0),
        io_weight=limits.io_weight,
        io_device_weights=io_weights(limits, numbers).io_device_weights,
        io_rates=tuple(
            IoRate(*numbers[device.path], _RATES[name], device.rate)
            for name, rates in _rates(limits)
            for device in rates
        ),
        cpu_realtime_runtime=limits.cpu_realtime_runtime,
        cpu_realtime_period=limits.cpu_realtime_period,
    )


def check_changeable(before: Limits, after: Limits) -> None:
    """Raises NotImplementedHere for what can't be so changed while a container runs."""
    weighed = {device.path for device in after.io_device_weights}
    fixed = {
        "out_of_memory_kill_disabled": before.out_of_memory_kill_disabled
        != after.out_of_memory_kill_disabled,
        "cpu_realtime_runtime": before.cpu_realtime_runtime and not after.cpu_realtime_runtime,
        "cpu_realtime_period": before.cpu_realtime_period and not after.cpu_realtime_period,
        "io_device_weights": {device.path for device in before.io_device_weights} - weighed,
    }
    for field, is_asked in fixed.items():
        if is_asked:
            raise NotImplementedHere(f"{field} can't be changed so while the container runs")


def _cpu(limits: Limits) -> dict[str, Any]:
    cpu: dict[str, Any] = {}
    if limits.cpu_quota > 0:
        cpu |= {"quota": limits.cpu_quota, "period": limits.cpu_period}
    for name, value in (
        ("shares", limits.cpu_shares),
        ("realtimeRuntime", limits.cpu_realtime_runtime),
        ("realtimePeriod", limits.cpu_realtime_period),
        ("cpus", limits.processors),
        ("mems", limits.memory_nodes),
    ):
        if value:
            cpu[name] = value
    return cpu


def _memory(limits: Limits, *, accounts_swap: bool, version: Literal[1, 2]) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    if limits.memory > 0:
        memory["limit"] = limits.memory
        if accounts_swap:
            memory["swap"] = limits.memory_and_swap or limits.memory
    if limits.memory_reservation > 0:
        memory["reservation"] = limits.memory_reservation
    if version == 1 and limits.memory_swappiness >= 0:
        memory["swappiness"] = limits.memory_swappiness
    if version == 1 and limits.out_of_memory_kill_disabled:
        memory["disableOOMKiller"] = True
    return memory


def _block_io(limits: Limits, numbers: DeviceNumbers) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, rates in _rates(limits):
        if rates:
            found[name] = [_numbered(device, numbers) | {"rate": device.rate} for device in rates]
    return found


def _rates(limits: Limits) -> list[tuple[str, tuple[DeviceRate, ...]]]:
    return [(name, getattr(limits, field)) for name, field in _RATES.items()]


def _numbered(device: DeviceRate, numbers: DeviceNumbers) -> dict[str, int]:
    major, minor = numbers[device.path]
    return {"major": major, "minor": minor}


def _number(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise InvalidConfiguration(f"no such block device: {path!r}") from error
    if not stat.S_ISBLK(status.st_mode):
        raise InvalidConfiguration(f"{path!r} is not a block device")
    return os.major(status.st_rdev), os.minor(status.st_rdev)


def _check(limits: Limits) -> None:
    """Raises InvalidConfiguration for what no kernel takes."""
    for name, value in (("cpuset cpus", limits.processors), ("cpuset mems", limits.memory_nodes)):
        if value and not _LIST.fullmatch(value):
            raise InvalidConfiguration(f"invalid {name}: {value[:100]!r}")
    if 0 < limits.memory_and_swap < limits.memory:
        raise InvalidConfiguration(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if not -1 <= limits.memory_swappiness <= 100:
        raise InvalidConfiguration(
            f"Invalid value: {limits.memory_swappiness}, valid memory swappiness range is 0-100"
        )
    weights = [limits.io_weight or 10, *(device.rate for device in limits.io_device_weights)]
    if not all(10 <= weight <= 1000 for weight in weights):
        raise InvalidConfiguration("Range of blkio weight is from 10 to 1000")
