"""A folder that changes all at once: what a reader sees."""

import os
import stat

from hypothesis import given
from hypothesis import strategies as st

from sampan.node.volumes.atomic_folder import write
from sampan.node.volumes.payload import File


def seen(folder):
    """What a container sees: visible names, through their links."""
    found = {}
    for entry in folder.iterdir():
        if entry.name.startswith(".."):
            continue
        paths = [item for item in entry.rglob("*") if item.is_file()] if entry.is_dir() else [entry]
        found |= {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    return found


def test_files_appear_with_their_modes(tmp_path):
    folder = tmp_path / "volume"
    assert write(folder, {"a": File(b"1", 0o600), "deep/b": File(b"2")}, "v1")
    assert seen(folder) == {"a": b"1", "deep/b": b"2"}
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o600
    assert os.readlink(folder / "a") == "..data/a"


def test_the_same_files_again_change_nothing(tmp_path):
    write(tmp_path, {"a": File(b"1")}, "v1")
    assert not write(tmp_path, {"a": File(b"1")}, "v2")
    assert os.readlink(tmp_path / "..data") == "..v1"


def test_a_change_replaces_everything_and_leaves_nothing_behind(tmp_path):
    write(tmp_path, {"a": File(b"1"), "b": File(b"1")}, "v1")
    assert write(tmp_path, {"b": File(b"2"), "c": File(b"2")}, "v2")
    assert seen(tmp_path) == {"b": b"2", "c": b"2"}
    assert {item.name for item in tmp_path.iterdir()} == {"..data", "..v2", "b", "c"}


def test_a_reader_that_holds_a_file_keeps_the_old_content(tmp_path):
    write(tmp_path, {"a": File(b"old")}, "v1")
    with (tmp_path / "a").open("rb") as held:
        write(tmp_path, {"a": File(b"new")}, "v2")
        assert held.read() == b"old"
    assert (tmp_path / "a").read_bytes() == b"new"


names = st.sampled_from(["a", "b", "d/x", "d/y", "e/f/g"])
contents = st.dictionaries(names, st.binary(max_size=3).map(File), max_size=4)


@given(states=st.lists(contents, max_size=5))
def test_the_folder_always_shows_the_last_state(tmp_path_factory, states):
    folder = tmp_path_factory.mktemp("volume")
    for number, state in enumerate(states):
        write(folder, state, f"v{number}")
        assert seen(folder) == {name: file.content for name, file in state.items()}
