"""What the files of a control group tell, in both versions."""

from sampan.host import cgroup_usage
from sampan.host.cgroup_limits import ControlGroupLimits, IoRate, changed_settings, settings


def test_counts_of_version_1() -> None:
    files = {
        "cpu.stat": "nr_periods 4\nnr_throttled 2\nthrottled_time 77\n",
        "cpuacct.stat": "user 3\nsystem 1\n",
        "cpuacct.usage": "50000000\n",
        "cpuacct.usage_percpu": "30000000 20000000 \n",
        "memory.usage_in_bytes": "900\n",
        "memory.max_usage_in_bytes": "1000\n",
        "memory.limit_in_bytes": "9223372036854771712\n",
        "memory.failcnt": "6\n",
        "memory.stat": "cache 1\ntotal_cache 100\ntotal_rss 200\ntotal_inactive_file 40\n",
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        "blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 20\nTotal 30\n",
        "blkio.throttle.io_serviced_recursive": "8:0 Read 1\n8:0 Write 2\n",
        "pids.current": "5\n",
        "pids.max": "max\n",
    }
    usage = cgroup_usage.read(1, lambda _, file: files.get(file, ""))
    assert (usage.cpu.total, usage.cpu.user, usage.cpu.system) == (
        50_000_000,
        30_000_000,
        10_000_000,
    )
    assert usage.cpu.by_processor == (30_000_000, 20_000_000)
    assert (usage.cpu.periods, usage.cpu.throttled_periods, usage.cpu.throttled_time) == (4, 2, 77)
    memory = usage.memory
    assert (memory.used, memory.peak, memory.limit, memory.failures) == (900, 1000, 0, 6)
    assert (memory.cache, memory.resident, memory.inactive_file) == (100, 200, 40)
    assert memory.out_of_memory_kills == 1
    device = usage.devices[0]
    assert (device.major, device.read_bytes, device.writes) == (8, 10, 2)
    assert (usage.pids, usage.pids_limit) == (5, 0)


def test_counts_of_version_2() -> None:
    files = {
        "cpu.stat": "usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_periods 3\nthrottled_usec 2\n",
        "memory.current": "900\n",
        "memory.max": "4096\n",
        "memory.stat": "anon 200\nfile 100\ninactive_file 40\n",
        "memory.events": "max 6\noom_kill 1\n",
        "io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n7:0\n",
        "pids.current": "5\n",
        "pids.max": "64\n",
    }
    usage = cgroup_usage.read(2, lambda _, file: files.get(file, ""))
    assert (usage.cpu.total, usage.cpu.throttled_time) == (9000, 2000)
    memory = usage.memory
    assert (memory.limit, memory.failures, memory.resident, memory.cache) == (4096, 6, 200, 100)
    assert [device.write_bytes for device in usage.devices] == [20]
    assert usage.pids_limit == 64


def test_a_group_that_is_gone_has_used_nothing() -> None:
    for version in (1, 2):
        usage = cgroup_usage.read(version, lambda _, __: "")
        assert usage == cgroup_usage.DetailedUsage(version=version)


def changed(before: ControlGroupLimits, after: ControlGroupLimits, version: int) -> list[str]:
    return [
        f"{setting.file}={setting.value}" for setting in changed_settings(before, after, version)
    ]


def test_only_what_differs_is_written() -> None:
    before, after = ControlGroupLimits(pids=5, cpu_quota=7), ControlGroupLimits(pids=6, cpu_quota=7)
    assert changed(before, after, 1) == changed(before, after, 2) == ["pids.max=6"]
    assert changed(after, ControlGroupLimits(), 2) == ["cpu.max=max 100000", "pids.max=max"]


def test_memory_grows_from_the_outer_limit_and_shrinks_from_the_inner() -> None:
    small = ControlGroupLimits(memory=10, memory_and_swap=20)
    large = ControlGroupLimits(memory=30, memory_and_swap=40)
    none = ControlGroupLimits()
    inner, outer = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
    assert changed(small, large, 1) == [f"{outer}=40", f"{inner}=30"]
    assert changed(large, small, 1) == [f"{inner}=10", f"{outer}=20"]
    assert changed(small, none, 1) == [f"{outer}=-1", f"{inner}=-1"]
    assert changed(none, small, 1) == [f"{inner}=10", f"{outer}=20"]


def test_version_2_limits_swap_alone() -> None:
    limits = {
        setting.file: setting.value
        for setting in settings(ControlGroupLimits(memory=10, memory_and_swap=30), 2)
    }
    assert (limits["memory.max"], limits["memory.swap.max"]) == ("10", "20")


def test_weights_of_block_io_are_of_all_devices_and_of_some() -> None:
    limits = ControlGroupLimits(io_weight=1000, io_device_weights=((8, 0, 10),))
    assert changed(ControlGroupLimits(), limits, 2) == [
        "io.bfq.weight=1000",
        "io.weight=10000",
        "io.bfq.weight=8:0 10",
        "io.weight=8:0 1",
    ]
    assert "blkio.bfq.weight_device=8:0 10" in changed(ControlGroupLimits(), limits, 1)


def test_rates_of_devices_change_and_go() -> None:
    fast, slow = IoRate(8, 0, "read_bytes", 1000), IoRate(8, 0, "read_bytes", 10)
    writes = IoRate(8, 16, "write_operations", 5)
    before, after = (
        ControlGroupLimits(io_rates=(fast, writes)),
        ControlGroupLimits(io_rates=(slow,)),
    )
    assert changed(before, after, 1) == [
        "blkio.throttle.read_bps_device=8:0 10",
        "blkio.throttle.write_iops_device=8:16 0",
    ]
    assert changed(before, after, 2) == ["io.max=8:0 rbps=10", "io.max=8:16 wiops=max"]
    assert changed(after, after, 2) == []
