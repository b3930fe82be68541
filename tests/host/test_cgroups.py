"""Control groups, on hierarchies that are plain folders."""

from pathlib import Path

import pytest

from sampan.host.cgroup_limits import ControlGroupLimits, weight_of_shares
from sampan.host.cgroups import (
    ControlGroups,
    ControlGroupUsage,
    hierarchies_of,
)
from sampan.host.mounts import parse_mountinfo

HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
UNIFIED = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def test_the_kind_of_host_is_seen_from_its_mounts() -> None:
    assert hierarchies_of(parse_mountinfo(HYBRID)).version == 1
    assert hierarchies_of(parse_mountinfo(UNIFIED)).version == 2
    with pytest.raises(OSError, match="no control group"):
        hierarchies_of([])


def write(path: Path, **files: str) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)


def test_limits_and_usage_of_v1(tmp_path: Path) -> None:
    hierarchies = {name: tmp_path / name for name in ("cpu", "cpuacct", "memory", "pids")}
    for folder in hierarchies.values():
        folder.mkdir()
    groups = ControlGroups(1, hierarchies)
    groups.create("a/b")
    write(tmp_path / "cpu/a/b", cpu__cfs_quota_us="", cpu__shares="")
    write(tmp_path / "pids/a/b", pids__max="", pids__current="3\n", cgroup__procs="12\n0\n")
    write(
        tmp_path / "memory/a/b",
        memory__limit_in_bytes="",
        memory__usage_in_bytes="99\n",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    )
    write(tmp_path / "cpuacct/a/b", cpuacct__usage="5000\n")
    groups.set_limits("a/b", ControlGroupLimits(cpu_quota=50_000, memory=64))
    assert (tmp_path / "cpu/a/b/cpu.cfs_quota_us").read_text() == "50000"
    assert (tmp_path / "cpu/a/b/cpu.shares").read_text() == "1024"
    assert (tmp_path / "memory/a/b/memory.limit_in_bytes").read_text() == "64"
    assert (tmp_path / "pids/a/b/pids.max").read_text() == "max"
    assert groups.usage("a/b") == ControlGroupUsage(cpu=5000, memory=99, pids=3)
    assert groups.out_of_memory_kills("a/b") == 2
    assert groups.processes("a") == {12}
    assert groups.exists("a")


def test_limits_and_usage_of_v2(tmp_path: Path) -> None:
    write(tmp_path, cgroup__controllers="cpu memory pids io", cgroup__subtree_control="cpu")
    write(tmp_path / "a", cgroup__controllers="cpu", cgroup__subtree_control="")
    groups = ControlGroups(2, {"": tmp_path})
    groups.create("a/b")
    write(
        tmp_path / "a/b",
        cpu__max="",
        cpu__weight="",
        memory__max="",
        pids__max="",
        cpu__stat="usage_usec 7\nuser_usec 1\n",
        memory__current="10",
        pids__current="2",
        memory__events="oom 1\noom_kill 1\n",
    )
    groups.set_limits("a/b", ControlGroupLimits(cpu_quota=50_000, cpu_shares=2, pids=9))
    assert (tmp_path / "a/b/cpu.max").read_text() == "50000 100000"
    assert (tmp_path / "a/b/cpu.weight").read_text() == "1"
    assert (tmp_path / "a/b/memory.max").read_text() == "max"
    assert (tmp_path / "a/b/pids.max").read_text() == "9"
    assert groups.usage("a/b") == ControlGroupUsage(cpu=7000, memory=10, pids=2)
    assert groups.out_of_memory_kills("a/b") == 1


def test_removing_takes_the_whole_subtree(tmp_path: Path) -> None:
    groups = ControlGroups(1, {"cpu": tmp_path / "cpu", "memory": tmp_path / "memory"})
    for path in ("cpu/a/b/c", "memory/a/b"):
        (tmp_path / path).mkdir(parents=True)
    groups.remove("a")
    assert not (tmp_path / "cpu/a").exists()
    assert not (tmp_path / "memory/a").exists()
    groups.remove("a")


@pytest.mark.parametrize("name", ["", "/", "../x", "a/../../b"])
def test_a_name_must_be_below_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="relative name"):
        ControlGroups(1, {"cpu": tmp_path}).create(name)


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (1024, 39), (262_144, 10_000), (0, 1)])
def test_shares_become_weights(shares: int, weight: int) -> None:
    assert weight_of_shares(shares) == weight
