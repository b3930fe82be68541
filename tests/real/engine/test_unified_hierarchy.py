"""Limits hold on a host with version 2 of control groups alone, which this machine may not be."""

from pathlib import Path

import guest_machine
import pytest

pytestmark = pytest.mark.real

_OPTIONS = (
    *("-q", "--color=no", "--import-mode=importlib", "-p", "no:cacheprovider"),
    *("--confcutdir=tests/real/engine", "--strict-markers", "-o", "markers=real"),
)
_TESTS = (
    "tests/real/engine/test_measured_limits.py",
    "tests/real/engine/test_lives.py::test_a_paused_container_does_nothing_until_it_is_let_go",
    "tests/real/engine/test_lives.py::test_limits_change_while_it_runs",
    "tests/real/engine/test_features.py::test_devices_come_with_their_permissions",
)
_SECONDS = 170


def test_limits_hold_in_a_guest_with_the_unified_hierarchy(tmp_path: Path) -> None:
    try:
        code, said = guest_machine.run_inside(tmp_path, (*_TESTS, *_OPTIONS), _SECONDS)
    except guest_machine.Unavailable as reason:
        pytest.skip(str(reason))
    assert code == 0, said
    assert " passed" in said
