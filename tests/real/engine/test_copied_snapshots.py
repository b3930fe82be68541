"""Snapshots without overlayfs: what is seen and what was written are the same as with it."""

import errno
import os
import stat
from pathlib import Path

import pytest

from sampan.engine.images.extraction import OPAQUE_ATTRIBUTE
from sampan.engine.snapshots import overlay
from sampan.host import mounts

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="files get owners and devices as root only"),
]


@pytest.fixture
def layers(tmp_path: Path) -> list[Path]:
    """The topmost first: it hides, replaces and adds."""
    lower, upper = tmp_path / "lower", tmp_path / "upper-layer"
    (lower / "etc/old").mkdir(parents=True)
    (lower / "etc/name").write_text("lower")
    (lower / "etc/old/file").write_text("hidden")
    (lower / "gone").write_text("gone")
    (lower / "kept").write_text("kept")
    (lower / "kept").chmod(0o4750)
    os.chown(lower / "kept", 5, 6)
    (lower / "kept").chmod(0o4750)
    os.link(lower / "kept", lower / "linked")
    (lower / "soft").symlink_to("/etc/passwd")
    (upper / "etc/old").mkdir(parents=True)
    os.setxattr(upper / "etc/old", OPAQUE_ATTRIBUTE, b"y")
    (upper / "etc/name").write_text("upper")
    os.mknod(upper / "gone", stat.S_IFCHR, os.makedev(0, 0))
    return [upper, lower]


@pytest.fixture
def no_overlay(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(mounts, "mount_overlay", refuse)


def written(folder: Path) -> dict[str, str]:
    upper = overlay.written_folder(folder)
    found = {}
    for root, folders, files in os.walk(upper):
        for name in (*folders, *files):
            path = Path(root) / name
            status = path.lstat()
            kind = "whiteout" if stat.S_ISCHR(status.st_mode) else "there"
            if stat.S_ISDIR(status.st_mode):
                opaque = OPAQUE_ATTRIBUTE in os.listxattr(path)
                kind = "opaque" if opaque else "folder"
            found[str(path.relative_to(upper))] = kind
    return found


def test_the_layers_appear_as_one(tmp_path: Path, layers: list[Path], no_overlay: None) -> None:
    del no_overlay
    folder = tmp_path / "snapshot"
    folder.mkdir()
    root = overlay.mount_snapshot(folder, layers)
    assert (root / "etc/name").read_text() == "upper"
    assert os.listdir(root / "etc/old") == []
    assert not (root / "gone").exists()
    assert os.readlink(root / "soft") == "/etc/passwd"
    status = (root / "kept").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (5, 6, 0o4750)
    assert status.st_ino == (root / "linked").stat().st_ino
    assert written(folder) == {}


def test_what_was_written_is_what_overlayfs_would_keep(
    tmp_path: Path, layers: list[Path], no_overlay: None
) -> None:
    del no_overlay
    folder = tmp_path / "snapshot"
    folder.mkdir()
    root = overlay.mount_snapshot(folder, layers)
    (root / "etc/name").write_text("changed")
    (root / "new/deep").mkdir(parents=True)
    (root / "new/deep/file").write_text("new")
    (root / "soft").unlink()
    (root / "etc/old").rmdir()
    (root / "etc/old").mkdir()
    again = overlay.mount_snapshot(folder, layers)
    assert again == root
    assert (again / "etc/name").read_text() == "changed"
    for _ in range(2):
        assert written(folder) == {
            "etc": "folder",
            "etc/name": "there",
            "etc/old": "opaque",
            "new": "folder",
            "new/deep": "folder",
            "new/deep/file": "there",
            "soft": "whiteout",
        }
    assert (layers[1] / "soft").is_symlink()
    overlay.remove_snapshot(folder)
    assert not folder.exists()
    assert (layers[0] / "etc/name").read_text() == "upper"
