"""What the machine can hold is found in its control groups; what it can't is discarded and told."""

from pathlib import Path

import msgspec
import pytest

from sampan.engine.containers.configuration import (
    HostConfiguration,
    ThrottleDevice,
    UpdateConfiguration,
    WeightDevice,
)
from sampan.engine.containers.machine_limits import LimitedBy, honoured, limited_by, missing
from sampan.engine.contract import InvalidConfiguration
from sampan.host.cgroups import ControlGroups

_WITHOUT = "or the cgroup is not mounted."
_DISK = ThrottleDevice(path="/dev/sda", rate=1)
_NOTHING = LimitedBy(2, *[False] * (len(msgspec.structs.fields(LimitedBy)) - 1))


def test_files_tell_what_the_second_version_can_do(tmp_path: Path) -> None:
    group = tmp_path / "a" / "b"
    group.mkdir(parents=True)
    for folder in (tmp_path, group.parent, group):
        (folder / "cgroup.controllers").write_text("")
        (folder / "cgroup.subtree_control").write_text("")
    for file in ("memory.max", "memory.swap.max", "pids.max", "cpu.max", "io.bfq.weight"):
        (group / file).touch()
    found = limited_by(ControlGroups(2, {"": tmp_path}), "a/b")
    assert (found.version, found.memory, found.accounts_swap, found.processes) == (2, *[True] * 3)
    assert (found.cpu_time, found.io_weight, found.io_device_weights) == (True, True, True)
    absent = (found.memory_reservation, found.cpu_shares, found.cpu_sets, found.read_bytes)
    assert not any(absent)
    assert not any((found.memory_swappiness, found.out_of_memory_kill_disabled))


def test_each_controller_of_the_first_version_has_its_own(tmp_path: Path) -> None:
    roots = {name: tmp_path / name for name in ("memory", "blkio")}
    for root in roots.values():
        (root / "a").mkdir(parents=True)
    for file in ("limit_in_bytes", "oom_control", "swappiness", "soft_limit_in_bytes"):
        (roots["memory"] / "a" / f"memory.{file}").touch()
    (roots["blkio"] / "a" / "blkio.throttle.read_bps_device").touch()
    found = limited_by(ControlGroups(1, roots), "a")
    assert (found.memory, found.out_of_memory_kill_disabled, found.read_bytes) == (True, True, True)
    assert not any((found.accounts_swap, found.cpu_time, found.processes, found.io_weight))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"memory": 1}, f"memory limit capabilities {_WITHOUT} Limitation"),
        ({"memory_reservation": 1}, f"memory soft limit capabilities {_WITHOUT} Limitation"),
        ({"memory_swappiness": 0}, ""),
        (
            {"memory_swappiness": 60},
            f"memory swappiness capabilities {_WITHOUT} Memory swappiness",
        ),
        ({"memory_swappiness": -1}, ""),
        ({"kernel_memory": 1}, f"kernel memory limit capabilities {_WITHOUT} Limitation"),
        ({"out_of_memory_kill_disabled": True}, "OomKillDisable. OomKillDisable"),
        ({"out_of_memory_kill_disabled": False}, ""),
        ({"processes_limit": 9}, f"PIDs limit capabilities {_WITHOUT} PIDs limit"),
        ({"processes_limit": -1}, ""),
        ({"cpu_shares": 2}, f"CPU shares {_WITHOUT} Shares"),
        ({"cpu_quota": 2000}, f"CPU CFS scheduler {_WITHOUT} Quota"),
        ({"cpu_set_cpus": "0", "cpu_set_memory_nodes": "0"}, f"cpuset {_WITHOUT} Cpuset"),
        ({"block_io_weight": 10}, f"Block I/O weight {_WITHOUT} Weight"),
        (
            {"block_io_weight_device": (WeightDevice(path="/dev/sda", weight=10),)},
            f"Block I/O weight_device {_WITHOUT} Weight-device",
        ),
        (
            {"block_io_device_write_operations": (_DISK,)},
            f"IOPS Block write limit {_WITHOUT} Block I/O IOPS write limit",
        ),
    ],
)
def test_what_cannot_be_held_is_discarded_and_told(wanted: dict[str, object], told: str) -> None:
    left, warnings = honoured(HostConfiguration(**wanted), _NOTHING)
    if told:
        assert warnings == (f"Your kernel does not support {told} discarded.",)
        assert honoured(left, _NOTHING) == (left, ())
    else:
        assert (left, warnings) == (HostConfiguration(**wanted), ())


def test_what_can_be_held_stays_as_it_is() -> None:
    wanted = UpdateConfiguration(memory=1 << 30, cpu_shares=2, block_io_weight=10, nano_cpus=1)
    assert honoured(wanted, LimitedBy()) == (wanted, ())


def test_memory_is_limited_without_swap_where_that_is_not_counted() -> None:
    left, told = honoured(HostConfiguration(memory=1 << 30), LimitedBy(1, accounts_swap=False))
    assert (left.memory, left.memory_swap) == (1 << 30, -1)
    assert told == (
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. "
        "Memory limited without swap.",
    )


def test_parts_of_processors_are_refused_without_a_scheduler_for_them() -> None:
    with pytest.raises(InvalidConfiguration, match="NanoCPUs can not be set"):
        honoured(HostConfiguration(nano_cpus=1), LimitedBy(cpu_time=False))


def test_what_is_missing_is_warned_of() -> None:
    assert missing(LimitedBy(2, out_of_memory_kill_disabled=False)) == ()
    assert missing(LimitedBy(1, out_of_memory_kill_disabled=False, io_weight=False)) == (
        "WARNING: No oom kill disable support",
    )
    assert missing(LimitedBy(2, accounts_swap=False, io_weight=False, read_bytes=False)) == (
        "WARNING: No swap limit support",
        "WARNING: No io.weight support",
        "WARNING: No io.max (rbps) support",
    )
    assert missing(LimitedBy(1, write_operations=False)) == (
        "WARNING: No blkio.throttle.write_iops_device support",
    )
