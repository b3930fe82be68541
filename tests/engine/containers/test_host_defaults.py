"""What holds where a client says nothing, and what an update makes of it."""

import pytest

from sampan.engine.containers.configuration import (
    HostConfiguration,
    ThrottleDevice,
    Ulimit,
    UpdateConfiguration,
)
from sampan.engine.containers.host_defaults import with_defaults
from sampan.engine.containers.machine_limits import LimitedBy
from sampan.engine.containers.updating import updated
from sampan.engine.contract import Conflict

FIRST, SECOND = LimitedBy(1), LimitedBy(2)
SMALL, LARGE = 64 << 20, 256 << 20


def test_what_is_in_force_is_shown() -> None:
    found = with_defaults(HostConfiguration(memory=SMALL), SECOND)
    assert (found.network_mode, found.ipc_mode, found.runtime) == ("bridge", "private", "crun")
    assert found.memory_swap == 2 * SMALL
    assert found.log_configuration.kind == "json-file"
    assert found.masked_paths is not None
    assert "/proc/kcore" in found.masked_paths
    assert found.read_only_paths is not None
    assert "/proc/sys" in found.read_only_paths


def test_what_is_said_stays() -> None:
    said = HostConfiguration(memory=SMALL, memory_swap=-1, masked_paths=(), read_only_paths=("/x",))
    found = with_defaults(said, SECOND)
    assert (found.memory_swap, found.masked_paths, found.read_only_paths) == (-1, (), ("/x",))


def test_the_privileged_have_all_paths() -> None:
    found = with_defaults(HostConfiguration(privileged=True), SECOND)
    assert (found.masked_paths, found.read_only_paths) == (None, None)


@pytest.mark.parametrize(
    ("groups", "shown"), [(FIRST, True), (SECOND, None)], ids=["first", "second"]
)
def test_the_second_generation_cannot_go_without_kills(
    groups: LimitedBy, shown: bool | None
) -> None:
    asked = HostConfiguration(out_of_memory_kill_disabled=True)
    assert with_defaults(asked, groups).out_of_memory_kill_disabled is shown


def test_swap_that_is_not_counted_has_no_limit() -> None:
    groups = LimitedBy(1, accounts_swap=False)
    asked = HostConfiguration(memory=SMALL)
    assert with_defaults(asked, groups).memory_swap == -1


def test_memory_grows_beyond_its_swap_only_with_it() -> None:
    before = with_defaults(HostConfiguration(memory=SMALL), SECOND)
    with pytest.raises(Conflict, match="memoryswap at the same time"):
        updated(before, UpdateConfiguration(memory=LARGE), SECOND)
    both = updated(before, UpdateConfiguration(memory=LARGE, memory_swap=-1), SECOND)
    assert (both.memory, both.memory_swap) == (LARGE, -1)
    less = updated(before, UpdateConfiguration(memory=SMALL // 2), SECOND)
    assert (less.memory, less.memory_swap) == (SMALL // 2, 2 * SMALL)


def test_a_first_limit_of_memory_brings_one_of_swap() -> None:
    found = updated(
        with_defaults(HostConfiguration(), SECOND), UpdateConfiguration(memory=SMALL), SECOND
    )
    assert found.memory_swap == 2 * SMALL


def test_one_way_to_say_how_much_cpu_keeps_the_other_out() -> None:
    quota = HostConfiguration(cpu_period=1000, cpu_quota=2000)
    with pytest.raises(Conflict, match="Nano CPUs cannot be updated as CPU Period"):
        updated(quota, UpdateConfiguration(nano_cpus=10**9), SECOND)
    assert updated(quota, UpdateConfiguration(cpu_quota=3000), SECOND).cpu_quota == 3000
    nano = HostConfiguration(nano_cpus=10**9)
    with pytest.raises(Conflict, match="CPU Quota cannot be updated as NanoCPUs"):
        updated(nano, UpdateConfiguration(cpu_quota=3000), SECOND)
    assert updated(nano, UpdateConfiguration(nano_cpus=2 * 10**9), SECOND).nano_cpus == 2 * 10**9


def test_what_is_said_at_creation_alone_stays() -> None:
    before = HostConfiguration(cgroup_parent="/a")
    rates = (ThrottleDevice(path="/dev/a", rate=5),)
    changes = UpdateConfiguration(
        cgroup_parent="/b",
        ulimits=(Ulimit(name="nofile", soft=1, hard=1),),
        block_io_device_read_bytes=rates,
        processes_limit=7,
    )
    found = updated(before, changes, SECOND)
    assert (found.cgroup_parent, found.ulimits) == ("/a", None)
    assert (found.block_io_device_read_bytes, found.processes_limit) == (rates, 7)
