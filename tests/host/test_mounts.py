"""Reading mountinfo."""

from pathlib import Path

import pytest

from sampan.host import mounts
from sampan.host.mounts import MountEntry, filesystem_of, parse_mountinfo


def test_entries_with_blanks_and_optional_fields() -> None:
    text = "36 35 98:0 /m /mnt\\040one rw,noatime master:1 shared:2 - ext3 /dev/ro\\134ot rw,err\n"
    assert parse_mountinfo(text) == [
        MountEntry("/mnt one", "ext3", "/dev/ro\\ot", ("rw", "noatime"), ("rw", "err"))
    ]


def test_a_path_is_on_what_was_mounted_last_and_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mounted = [
        MountEntry("/", "ext4", "/dev/a", (), ()),
        MountEntry("/var", "tmpfs", "none", (), ()),
        MountEntry("/var/lib", "btrfs", "/dev/b", (), ()),
        MountEntry("/var/lib", "xfs", "/dev/c", (), ()),
    ]
    monkeypatch.setattr(mounts, "mount_entries", lambda: mounted)
    assert filesystem_of(Path("/var/lib/x/y")) == "xfs"
    assert filesystem_of(Path("/var/library")) == "tmpfs"
    assert filesystem_of(Path("/home")) == "ext4"
