"""What holds where a client says nothing, and what an update makes of it."""

import pytest

from sampan.engine.containers.configuration import HostConfiguration, UpdateConfiguration
from sampan.engine.containers.host_defaults import LimitedBy, discarded, with_defaults
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
    ("groups", "shown", "told"), [(FIRST, True, 0), (SECOND, None, 1)], ids=["first", "second"]
)
def test_the_second_generation_cannot_go_without_kills(
    groups: LimitedBy, shown: bool | None, told: int
) -> None:
    asked = HostConfiguration(out_of_memory_kill_disabled=True)
    assert with_defaults(asked, groups).out_of_memory_kill_disabled is shown
    assert len(list(discarded(asked, groups))) == told


def test_swap_that_is_not_counted_has_no_limit() -> None:
    groups = LimitedBy(1, accounts_swap=False)
    asked = HostConfiguration(memory=SMALL)
    assert with_defaults(asked, groups).memory_swap == -1
    assert "Memory limited without swap" in next(discarded(asked, groups))


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


def test_ways_to_say_how_much_cpu_replace_one_another() -> None:
    before = HostConfiguration(cpu_period=1000, cpu_quota=2000)
    nano = updated(before, UpdateConfiguration(nano_cpus=10**9), SECOND)
    assert (nano.nano_cpus, nano.cpu_period, nano.cpu_quota) == (10**9, 0, 0)
    quota = updated(nano, UpdateConfiguration(cpu_quota=3000), SECOND)
    assert (quota.nano_cpus, quota.cpu_quota) == (0, 3000)
