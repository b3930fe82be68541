"""A folder goes away with everything in it, whoever filled it."""

import os

import pytest

from sampan.host.tree_removal import remove_tree

BEYOND_RECURSION = 3000


def nest(folder, depth):
    """A chain of folders that is deeper than any path name is long."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)


def test_depth_is_no_protection(tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    nest(folder, BEYOND_RECURSION)
    remove_tree(folder)
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    for place in (folder, folder / "inner"):
        (place / "link").symlink_to(kept)
        (place / "file").hardlink_to(kept / "file")
    os.mkfifo(folder / "inner" / "fifo")
    remove_tree(folder)
    assert not folder.exists()
    assert (kept / "file").read_text() == "x"


def test_names_in_the_way_are_gone_round(tmp_path):
    folder = tmp_path / "folder"
    for name in ("0", "1", "2", "a/0/0", "a/1/x", "b/b"):
        (folder / name).mkdir(parents=True)
    for name in ("3", "a/2", "a/0/1"):
        (folder / name).write_text("")
    (folder / "1" / "file").write_text("")
    remove_tree(folder)
    assert not folder.exists()


def test_what_is_not_a_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        remove_tree(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        remove_tree(tmp_path / "file")
