"""What a container uses, as far as the kernel counts it: the body of any statistics.

The same for both versions of control groups; what one of them does not count is zero. Where
the counts come from is the host's business.
"""

from typing import Literal

import msgspec


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
