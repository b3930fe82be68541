"""What few machines' kernels can do is tried in the guest, whose kernel can: quotas for projects,
interfaces that stand on others."""

from pathlib import Path

import guest_machine
import pytest

pytestmark = pytest.mark.real

_OPTIONS = (
    *("-q", "--color=no", "--import-mode=importlib", "-p", "no:cacheprovider"),
    *("--confcutdir=tests/real/engine", "--strict-markers", "-o", "markers=real"),
    # What passed gives its memory back.
    *("-rs", "-o", "tmp_path_retention_policy=failed"),
)
_QUOTAS = "tests/real/engine/test_quotas.py"
_LINKS = "tests/real/engine/networks/test_child_links.py"
_TESTS = (
    f"{_QUOTAS}::test_a_root_takes_what_it_may_and_is_counted_over_lives",
    f"{_QUOTAS}::test_a_volume_holds_what_it_may[xfs]",
    f"{_LINKS}::test_neighbours_reach_one_another_but_not_the_machine[ipvlan]",
    f"{_LINKS}::test_routes_of_the_third_layer_need_no_gateway",
    f"{_LINKS}::test_without_a_parent_containers_are_among_themselves",
    f"{_LINKS}::test_a_vlan_is_made_on_the_interface_that_is_named",
)
_SECONDS = 170


def test_what_few_kernels_can_do_is_done_in_a_guest(tmp_path: Path) -> None:
    try:
        code, said = guest_machine.run_inside(tmp_path, (*_TESTS, *_OPTIONS), _SECONDS)
    except guest_machine.Unavailable as reason:
        pytest.skip(str(reason))
    assert code == 0, said
    assert " passed" in said
    assert " skipped" not in said
