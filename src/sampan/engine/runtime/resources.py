"""A container's limits in the terms of the OCI runtime: pure but for the numbers of devices.

Source: the OCI runtime specification 1.1, config-linux, "Control groups". The runtime puts
them into the files of either version of control groups.
"""

import os
import re
import stat
from collections.abc import Mapping
from typing import Any

from sampan.engine.configuration import DeviceRate, Limits
from sampan.engine.contract import InvalidConfiguration, NotImplementedHere

_UNLIMITED = -1
_DEFAULT_SHARES = 1024
_DEFAULT_WEIGHT = 500
_RATES = {
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


def resources(limits: Limits, numbers: DeviceNumbers, *, accounts_swap: bool) -> dict[str, Any]:
    """The `linux.resources` member but for its devices: what is not limited is left out.

    Raises InvalidConfiguration.
    """
    _check(limits)
    found = {
        "cpu": _cpu(limits),
        "memory": _memory(limits, accounts_swap=accounts_swap),
        "pids": {"limit": limits.pids} if limits.pids > 0 else {},
        "blockIO": _block_io(limits, numbers),
    }
    return {name: member for name, member in found.items() if member}


def changed_resources(
    before: Limits, after: Limits, numbers: DeviceNumbers, *, accounts_swap: bool
) -> dict[str, Any]:
    """What to tell the runtime so that `after` holds where `before` did: only what differs, and
    for each limit that is taken away the value that means none.

    Raises InvalidConfiguration; NotImplementedHere for what can't be changed while it runs.
    """
    old = resources(before, numbers, accounts_swap=accounts_swap)
    new = resources(after, numbers, accounts_swap=accounts_swap)
    found: dict[str, Any] = {}
    for name, none in _NONE.items():
        was, wanted = none | old.get(name, {}), none | new.get(name, {})
        if wanted == was:
            continue
        if gone := sorted(was.keys() - wanted.keys()):
            raise NotImplementedHere(f"the limit {gone[0]!r} can only be taken away by a restart")
        found[name] = {key: value for key, value in wanted.items() if value != was.get(key)}
    if found.get("cpu", {}).keys() & {"quota", "period"}:
        found["cpu"] |= {
            key: (_NONE["cpu"] | new.get("cpu", {}))[key] for key in ("quota", "period")
        }
    if found.get("memory", {}).keys() & {"limit", "swap"}:
        found["memory"] |= _memory_pair(new.get("memory", {}), accounts_swap=accounts_swap)
    return found


_NONE: dict[str, dict[str, Any]] = {
    "cpu": {"quota": _UNLIMITED, "period": 100_000, "shares": _DEFAULT_SHARES},
    "memory": {"limit": _UNLIMITED, "swap": _UNLIMITED, "reservation": _UNLIMITED},
    "pids": {"limit": _UNLIMITED},
    "blockIO": {"weight": _DEFAULT_WEIGHT},
}


def _memory_pair(memory: Mapping[str, Any], *, accounts_swap: bool) -> dict[str, int]:
    """Both together: the kernel allows no swap limit below the memory limit in between."""
    pair = {"limit": memory.get("limit", _UNLIMITED)}
    if accounts_swap:
        pair["swap"] = memory.get("swap", _UNLIMITED)
    return pair


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


def _memory(limits: Limits, *, accounts_swap: bool) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    if limits.memory > 0:
        memory["limit"] = limits.memory
        if accounts_swap:
            memory["swap"] = limits.memory_and_swap or limits.memory
    if limits.memory_reservation > 0:
        memory["reservation"] = limits.memory_reservation
    if limits.memory_swappiness >= 0:
        memory["swappiness"] = limits.memory_swappiness
    if limits.out_of_memory_kill_disabled:
        memory["disableOOMKiller"] = True
    return memory


def _block_io(limits: Limits, numbers: DeviceNumbers) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if limits.io_weight:
        found["weight"] = limits.io_weight
    if limits.io_device_weights:
        found["weightDevice"] = [
            _numbered(device, numbers) | {"weight": device.rate}
            for device in limits.io_device_weights
        ]
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
