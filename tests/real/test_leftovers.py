"""What is left is found and named, and nothing of somebody else's."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.real.leftovers import MARK, MARK_VARIABLE, Session, instance_name

from sampan.host import mounts
from sampan.host.cgroups import control_groups

pytestmark = [pytest.mark.real, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


def test_processes_groups_and_folders_are_named(tmp_path: Path) -> None:
    name = instance_name("left")
    session = Session(tmp_path, tmp_path / "temporary", patience=0)
    folder, groups = Path(f"/run/sampan-{name}"), control_groups()
    plain = {key: value for key, value in os.environ.items() if key != MARK_VARIABLE}
    marked = subprocess.Popen(["sleep", "100"], env=plain | {MARK_VARIABLE: MARK})
    stranger = subprocess.Popen(["sleep", "101"], env={"PATH": os.environ["PATH"]})
    try:
        folder.mkdir()
        groups.create(f"sampan-{name}")
        found = session.leftovers()
        assert f"process {marked.pid} sleep 100 " in found
        assert f"folder {folder}" in found
        assert any(line.startswith("group ") and name in line for line in found)
        assert not [line for line in found if str(stranger.pid) in line.split()]
    finally:
        for process in (marked, stranger):
            process.kill()
            process.wait()
        folder.rmdir()
        groups.remove(f"sampan-{name}")
    assert [line for line in session.leftovers() if name in line] == []


def test_mounts_are_named(tmp_path: Path) -> None:
    session = Session(tmp_path, tmp_path / "temporary", patience=0)
    place = tmp_path / "place"
    place.mkdir()
    mounts.mount_tmpfs(str(place))
    try:
        assert f"mount {place}" in session.leftovers()
    finally:
        mounts.unmount(place)
    assert f"mount {place}" not in session.leftovers()
