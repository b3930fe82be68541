"""What a control group uses, as far as the kernel counts it: all that statistics want to tell.

The same for both versions of control groups; what one of them does not count is zero. Sources:
the kernel's admin-guide/cgroup-v1 (cpuacct, memory, blkio-controller, pids) and cgroup-v2.
"""

import os
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

# clock_t of times(2): v1 counts user and system time in these.
_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_NO_LIMIT = 1 << 62
_OPERATIONS = {"Read": "read", "Write": "write"}


class CpuUsage(msgspec.Struct, frozen=True, kw_only=True):
    """In nanoseconds since the start. `by_processor` is empty where it is not counted (v2).

    `periods` are those of the quota, `throttled_periods` those in which it was used up.
    """

    total: int = 0
    user: int = 0
    system: int = 0
    by_processor: tuple[int, ...] = ()
    periods: int = 0
    throttled_periods: int = 0
    throttled_time: int = 0


class MemoryUsage(msgspec.Struct, frozen=True, kw_only=True):
    """In bytes. `statistics` holds memory.stat with the kernel's own names.

    `cache` are pages of files, `resident` those of nobody's file, `inactive_file` those that
    are taken back first. `limit` is 0 when there is none; `peak` and `failures` (hits of the
    limit) are 0 where they are not counted.
    """

    used: int = 0
    peak: int = 0
    limit: int = 0
    failures: int = 0
    cache: int = 0
    resident: int = 0
    inactive_file: int = 0
    out_of_memory_kills: int = 0
    statistics: dict[str, int] = {}


class DeviceUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes and operations of one block device."""

    major: int
    minor: int
    read_bytes: int = 0
    write_bytes: int = 0
    reads: int = 0
    writes: int = 0


class DetailedUsage(msgspec.Struct, frozen=True, kw_only=True):
    """`version` is that of the control groups; `pids_limit` is 0 when there is none."""

    version: Literal[1, 2]
    cpu: CpuUsage = CpuUsage()
    memory: MemoryUsage = MemoryUsage()
    devices: tuple[DeviceUsage, ...] = ()
    pids: int = 0
    pids_limit: int = 0


# Reads a file of the group, given its controller ("" for v2) and its name; "" for no such file.
_Reader = Callable[[str, str], str]


def read(version: Literal[1, 2], file_of: _Reader) -> DetailedUsage:
    """What the files of one group tell. Raises OSError."""
    return _version_2(file_of) if version == 2 else _version_1(file_of)


def _version_1(file_of: _Reader) -> DetailedUsage:
    cpu = _pairs(file_of("cpu", "cpu.stat"))
    times = _pairs(file_of("cpuacct", "cpuacct.stat"))
    return DetailedUsage(
        version=1,
        cpu=CpuUsage(
            total=_number(file_of("cpuacct", "cpuacct.usage")),
            user=times.get("user", 0) * _TICK,
            system=times.get("system", 0) * _TICK,
            by_processor=tuple(map(int, file_of("cpuacct", "cpuacct.usage_percpu").split())),
            periods=cpu.get("nr_periods", 0),
            throttled_periods=cpu.get("nr_throttled", 0),
            throttled_time=cpu.get("throttled_time", 0),
        ),
        memory=_memory_1(file_of),
        devices=_devices_1(file_of),
        pids=_number(file_of("pids", "pids.current")),
        pids_limit=_number(file_of("pids", "pids.max")),
    )


def _memory_1(file_of: _Reader) -> MemoryUsage:
    statistics = _pairs(file_of("memory", "memory.stat"))
    control = _pairs(file_of("memory", "memory.oom_control"))
    return MemoryUsage(
        used=_number(file_of("memory", "memory.usage_in_bytes")),
        peak=_number(file_of("memory", "memory.max_usage_in_bytes")),
        limit=_limit(file_of("memory", "memory.limit_in_bytes")),
        failures=_number(file_of("memory", "memory.failcnt")),
        cache=statistics.get("total_cache", 0),
        resident=statistics.get("total_rss", 0),
        inactive_file=statistics.get("total_inactive_file", 0),
        out_of_memory_kills=control.get("oom_kill", 0),
        statistics=statistics,
    )


def _devices_1(file_of: _Reader) -> tuple[DeviceUsage, ...]:
    counts: dict[tuple[int, int], dict[str, int]] = {}
    for file, unit in (
        ("blkio.throttle.io_service_bytes_recursive", "_bytes"),
        ("blkio.throttle.io_serviced_recursive", "s"),
    ):
        for line in file_of("blkio", file).splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in _OPERATIONS:
                fields = counts.setdefault(_device(words[0]), {})
                fields[_OPERATIONS[words[1]] + unit] = int(words[2])
    return _usages(counts)


def _version_2(file_of: _Reader) -> DetailedUsage:
    cpu = _pairs(file_of("", "cpu.stat"))
    statistics = _pairs(file_of("", "memory.stat"))
    events = _pairs(file_of("", "memory.events"))
    return DetailedUsage(
        version=2,
        cpu=CpuUsage(
            total=cpu.get("usage_usec", 0) * 1000,
            user=cpu.get("user_usec", 0) * 1000,
            system=cpu.get("system_usec", 0) * 1000,
            periods=cpu.get("nr_periods", 0),
            throttled_periods=cpu.get("nr_throttled", 0),
            throttled_time=cpu.get("throttled_usec", 0) * 1000,
        ),
        memory=MemoryUsage(
            used=_number(file_of("", "memory.current")),
            peak=_number(file_of("", "memory.peak")),
            limit=_limit(file_of("", "memory.max")),
            failures=events.get("max", 0),
            cache=statistics.get("file", 0),
            resident=statistics.get("anon", 0),
            inactive_file=statistics.get("inactive_file", 0),
            out_of_memory_kills=events.get("oom_kill", 0),
            statistics=statistics,
        ),
        devices=_devices_2(file_of("", "io.stat")),
        pids=_number(file_of("", "pids.current")),
        pids_limit=_number(file_of("", "pids.max")),
    )


def _devices_2(text: str) -> tuple[DeviceUsage, ...]:
    names = {"rbytes": "read_bytes", "wbytes": "write_bytes", "rios": "reads", "wios": "writes"}
    counts: dict[tuple[int, int], dict[str, int]] = {}
    for line in text.splitlines():
        device, *words = line.split()
        pairs = (word.partition("=")[::2] for word in words)
        found = {names[name]: int(value) for name, value in pairs if name in names}
        if found and ":" in device:
            counts[_device(device)] = found
    return _usages(counts)


def _usages(counts: Mapping[tuple[int, int], Mapping[str, int]]) -> tuple[DeviceUsage, ...]:
    return tuple(
        DeviceUsage(major=major, minor=minor, **fields)
        for (major, minor), fields in sorted(counts.items())
    )


def _device(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(":")
    return int(major), int(minor)


def _pairs(text: str) -> dict[str, int]:
    """Lines of a name and a number."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.isdecimal():
            found[name] = int(value)
    return found


def _number(text: str) -> int:
    """0 for nothing and for `max`."""
    stripped = text.strip()
    return int(stripped) if stripped.isdecimal() else 0


def _limit(text: str) -> int:
    number = _number(text)
    return number if number < _NO_LIMIT else 0
