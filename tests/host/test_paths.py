"""Paths that are opened below a folder stay there."""

import errno
import os
from pathlib import Path

import pytest

from sampan.host import paths


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("outside")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/file").write_text("inside")
    (root / "up").symlink_to("../../../../etc/file")
    (root / "absolute").symlink_to("/etc/file")
    (root / "folder").symlink_to("etc")
    return root


@pytest.mark.parametrize(
    "path", ["etc/file", "/etc/file", "up", "absolute", "folder/file", "../etc/file"]
)
def test_every_way_leads_to_the_file_within(tree: Path, path: str) -> None:
    with paths.opened_folder(tree) as root:
        assert paths.read_in_root(root, path, 100) == b"inside"


def test_what_lies_outside_is_not_there(tree: Path) -> None:
    with paths.opened_folder(tree) as root, pytest.raises(FileNotFoundError):
        paths.read_in_root(root, "../secret", 100)


def test_no_symlink_is_followed_beneath(tree: Path) -> None:
    with paths.opened_folder(tree) as root:
        for path, number in (("up", errno.ELOOP), ("folder/file", errno.ELOOP)):
            with pytest.raises(OSError, match=path) as caught:
                paths.open_beneath(root, path, os.O_RDONLY)
            assert caught.value.errno == number
        with pytest.raises(OSError, match="secret") as caught:
            paths.open_beneath(root, "../secret", os.O_RDONLY)
        assert caught.value.errno == errno.EXDEV


def test_reading_is_bounded(tree: Path) -> None:
    with paths.opened_folder(tree) as root:
        assert paths.read_in_root(root, "etc/file", 3) == b"ins"
