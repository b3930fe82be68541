"""What a container uses, as `GET /containers/{id}/stats` tells it. Pure.

Source: the Engine API's `ContainerStatsResponse`. Clients compute percentages from the difference
to the sample before (`precpu_stats`).
"""

from collections.abc import Iterable
from typing import Any

from sampan.engine.containers.contract import (
    BlockCounter,
    CpuStatistics,
    MemoryStatistics,
    NetworkCounters,
    Statistics,
)
from sampan.faces.dockerapi import times
from sampan.faces.dockerapi.versions import Version


def document(sample: Statistics, before: Statistics | None, version: Version) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "read": times.written(sample.time),
        "preread": times.written(before.time if before is not None else 0),
        "pids_stats": _processes(sample),
        "blkio_stats": _blocks(sample),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu(sample.cpu, sample.cgroup_version),
        "precpu_stats": _cpu(before.cpu, before.cgroup_version) if before else _cpu_of_none(),
        "memory_stats": _memory(sample.memory, sample.cgroup_version),
        "name": f"/{sample.name}",
        "id": sample.identifier,
    }
    if sample.networks:
        tree["networks"] = {name: _network(one) for name, one in sample.networks.items()}
    if version >= (1, 52):
        tree["os_type"] = "linux"
    return tree


def _processes(sample: Statistics) -> dict[str, int]:
    tree = {"current": sample.processes} if sample.processes else {}
    return tree | ({"limit": sample.processes_limit} if sample.processes_limit else {})


def _cpu(cpu: CpuStatistics, cgroup_version: int) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "total_usage": cpu.total,
        "usage_in_kernelmode": cpu.kernel,
        "usage_in_usermode": cpu.user,
    }
    if cgroup_version == 1 and cpu.per_cpu:
        usage["percpu_usage"] = list(cpu.per_cpu)
    tree: dict[str, Any] = {"cpu_usage": usage, "throttling_data": _throttling(cpu)}
    if cpu.machine:
        tree["system_cpu_usage"] = cpu.machine
    if cpu.online:
        tree["online_cpus"] = cpu.online
    return tree


def _cpu_of_none() -> dict[str, Any]:
    return _cpu(CpuStatistics(), 2)


def _throttling(cpu: CpuStatistics) -> dict[str, int]:
    return {
        "periods": cpu.periods,
        "throttled_periods": cpu.throttled_periods,
        "throttled_time": cpu.throttled_time,
    }


def _memory(memory: MemoryStatistics, cgroup_version: int) -> dict[str, Any]:
    if not memory.usage and not memory.details:
        return {}
    tree: dict[str, Any] = {
        "usage": memory.usage,
        "stats": memory.details,
        "limit": memory.limit,
    }
    if cgroup_version == 1:
        tree["max_usage"] = memory.maximum
        if memory.failures:
            tree["failcnt"] = memory.failures
    return tree


def _blocks(sample: Statistics) -> dict[str, Any]:
    """Only two are counted by both generations of control groups; what is empty is a list with
    the first and null with the second."""
    nothing: list[dict[str, Any]] | None = [] if sample.cgroup_version == 1 else None
    return {
        "io_service_bytes_recursive": _counters(sample.block_bytes) or nothing,
        "io_serviced_recursive": _counters(sample.block_operations) or nothing,
        "io_queue_recursive": nothing,
        "io_service_time_recursive": nothing,
        "io_wait_time_recursive": nothing,
        "io_merged_recursive": nothing,
        "io_time_recursive": nothing,
        "sectors_recursive": nothing,
    }


def _counters(counters: Iterable[BlockCounter]) -> list[dict[str, Any]]:
    return [
        {"major": one.major, "minor": one.minor, "op": one.operation, "value": one.value}
        for one in counters
    ]


def _network(counters: NetworkCounters) -> dict[str, int]:
    return {
        "rx_bytes": counters.received_bytes,
        "rx_packets": counters.received_packets,
        "rx_errors": counters.received_errors,
        "rx_dropped": counters.received_dropped,
        "tx_bytes": counters.sent_bytes,
        "tx_packets": counters.sent_packets,
        "tx_errors": counters.sent_errors,
        "tx_dropped": counters.sent_dropped,
    }
