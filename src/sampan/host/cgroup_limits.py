"""Limits of a control group as the contents of its files, for both versions: pure.

Sources: the kernel's admin-guide/cgroup-v1 (memory, cpusets, blkio-controller),
scheduler/sched-bwc and admin-guide/cgroup-v2.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

_DEFAULT_SHARES = 1024
_DEFAULT_WEIGHT = 100
_UNLIMITED = -1
_MEMORY_V1, _MEMORY_AND_SWAP_V1 = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"


IoKind = Literal["read_bytes", "write_bytes", "read_operations", "write_operations"]
_RATE_FILES_V1: dict[IoKind, str] = {
    "read_bytes": "blkio.throttle.read_bps_device",
    "write_bytes": "blkio.throttle.write_bps_device",
    "read_operations": "blkio.throttle.read_iops_device",
    "write_operations": "blkio.throttle.write_iops_device",
}
_RATE_NAMES_V2: dict[IoKind, str] = {
    "read_bytes": "rbps",
    "write_bytes": "wbps",
    "read_operations": "riops",
    "write_operations": "wiops",
}


class IoRate(msgspec.Struct, frozen=True, order=True):
    """A bound of a block device, by second; a `rate` of 0 takes it away."""

    major: int
    minor: int
    kind: IoKind
    rate: int


class ControlGroupLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Zero means no limit. `cpu_quota` is in microseconds of CPU each `cpu_period`.

    `memory_and_swap` is the sum of both; -1 is unlimited as well. `processors` and
    `memory_nodes` are lists, "" for all; `memory_swappiness` is -1 to leave it.
    `io_weight` goes from 10 to 1000; `io_device_weights` are (major, minor, weight), which can't
    be taken away again, as little as the microseconds of real time in each period.
    """

    cpu_quota: int = 0
    cpu_period: int = 100_000
    cpu_shares: int = 0
    processors: str = ""
    memory_nodes: str = ""
    memory: int = 0
    memory_and_swap: int = 0
    memory_reservation: int = 0
    memory_swappiness: int = -1
    pids: int = 0
    io_weight: int = 0
    io_device_weights: tuple[tuple[int, int, int], ...] = ()
    io_rates: tuple[IoRate, ...] = ()
    cpu_realtime_runtime: int = 0
    cpu_realtime_period: int = 0


class Setting(msgspec.Struct, frozen=True):
    """What to write to one file; the `controller` is "" for version 2."""

    controller: str
    file: str
    value: str


def settings(limits: ControlGroupLimits, version: Literal[1, 2]) -> tuple[Setting, ...]:
    """Every file's content; a host may lack some of the files."""
    return tuple(_version_2(limits) if version == 2 else _version_1(limits))


def changed_settings(
    before: ControlGroupLimits, after: ControlGroupLimits, version: Literal[1, 2]
) -> Sequence[Setting]:
    """Only what differs, in an order that the kernel takes.

    In version 1 the limit of memory may never exceed that of memory and swap together.
    """
    former = set(settings(before, version))
    wanted = settings(_without_gone(before, after), version)
    changed = [setting for setting in wanted if setting not in former]
    grows = _greater(after.memory_and_swap, before.memory_and_swap)
    first = _MEMORY_AND_SWAP_V1 if grows else _MEMORY_V1
    return sorted(changed, key=lambda setting: setting.file != first)


def _without_gone(before: ControlGroupLimits, after: ControlGroupLimits) -> ControlGroupLimits:
    """With a rate of 0 for each that is no more."""
    zeros = {msgspec.structs.replace(rate, rate=0) for rate in before.io_rates}
    kept = {msgspec.structs.replace(rate, rate=0) for rate in after.io_rates}
    gone = sorted(zeros - kept)
    return msgspec.structs.replace(after, io_rates=(*after.io_rates, *gone))


def weight_of_shares(shares: int) -> int:
    """v2's cpu.weight (1 to 10,000) for v1's cpu.shares (2 to 262,144), linearly as KEP-2254."""
    bounded = min(max(shares, 2), 262_144)
    return 1 + (bounded - 2) * 9_999 // 262_142


def _version_1(limits: ControlGroupLimits) -> Iterator[Setting]:
    yield Setting("cpu", "cpu.cfs_period_us", str(limits.cpu_period))
    yield Setting("cpu", "cpu.cfs_quota_us", str(limits.cpu_quota or _UNLIMITED))
    yield Setting("cpu", "cpu.shares", str(limits.cpu_shares or _DEFAULT_SHARES))
    if limits.cpu_realtime_period:
        yield Setting("cpu", "cpu.rt_period_us", str(limits.cpu_realtime_period))
    if limits.cpu_realtime_runtime:
        yield Setting("cpu", "cpu.rt_runtime_us", str(limits.cpu_realtime_runtime))
    yield Setting("cpuset", "cpuset.cpus", limits.processors)
    yield Setting("cpuset", "cpuset.mems", limits.memory_nodes)
    yield Setting("memory", _MEMORY_V1, str(limits.memory or _UNLIMITED))
    yield Setting("memory", _MEMORY_AND_SWAP_V1, str(limits.memory_and_swap or _UNLIMITED))
    reservation = str(limits.memory_reservation or _UNLIMITED)
    yield Setting("memory", "memory.soft_limit_in_bytes", reservation)
    if limits.memory_swappiness >= 0:
        yield Setting("memory", "memory.swappiness", str(limits.memory_swappiness))
    yield Setting("pids", "pids.max", _or_max(limits.pids))
    weight = str(limits.io_weight or _DEFAULT_WEIGHT)
    yield Setting("blkio", "blkio.weight", weight)
    yield Setting("blkio", "blkio.bfq.weight", weight)
    for major, minor, of_device in limits.io_device_weights:
        for file in ("blkio.weight_device", "blkio.bfq.weight_device"):
            yield Setting("blkio", file, f"{major}:{minor} {of_device}")
    for rate in limits.io_rates:
        value = f"{rate.major}:{rate.minor} {rate.rate}"
        yield Setting("blkio", _RATE_FILES_V1[rate.kind], value)


def _version_2(limits: ControlGroupLimits) -> Iterator[Setting]:
    yield Setting("", "cpu.max", f"{limits.cpu_quota or 'max'} {limits.cpu_period}")
    weight = weight_of_shares(limits.cpu_shares or _DEFAULT_SHARES)
    yield Setting("", "cpu.weight", str(weight))
    yield Setting("", "cpuset.cpus", limits.processors)
    yield Setting("", "cpuset.mems", limits.memory_nodes)
    yield Setting("", "memory.max", _or_max(limits.memory))
    yield Setting("", "memory.swap.max", _swap(limits))
    yield Setting("", "memory.low", str(limits.memory_reservation))
    yield Setting("", "pids.max", _or_max(limits.pids))
    io_weight = limits.io_weight or _DEFAULT_WEIGHT
    yield Setting("", "io.bfq.weight", str(io_weight))
    yield Setting("", "io.weight", str(_io_weight(io_weight)))
    for major, minor, of_device in limits.io_device_weights:
        yield Setting("", "io.bfq.weight", f"{major}:{minor} {of_device}")
        yield Setting("", "io.weight", f"{major}:{minor} {_io_weight(of_device)}")
    for rate in limits.io_rates:
        value = f"{_RATE_NAMES_V2[rate.kind]}={_or_max(rate.rate)}"
        yield Setting("", "io.max", f"{rate.major}:{rate.minor} {value}")


def _io_weight(weight: int) -> int:
    """Version 2's 1 to 10,000 for 10 to 1000, linearly."""
    return 1 + (weight - 10) * 9_999 // 990


def _swap(limits: ControlGroupLimits) -> str:
    """Version 2 limits swap alone."""
    if limits.memory_and_swap <= 0 or limits.memory <= 0:
        return "max"
    return str(max(limits.memory_and_swap - limits.memory, 0))


def _or_max(limit: int) -> str:
    return str(limit) if limit > 0 else "max"


def _greater(after: int, before: int) -> bool:
    return before > 0 and (after <= 0 or after > before)
