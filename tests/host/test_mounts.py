"""Reading mountinfo."""

from sampan.host.mounts import MountEntry, parse_mountinfo


def test_entries_with_blanks_and_optional_fields() -> None:
    text = "36 35 98:0 /m /mnt\\040one rw,noatime master:1 shared:2 - ext3 /dev/ro\\134ot rw,err\n"
    assert parse_mountinfo(text) == [
        MountEntry("/mnt one", "ext3", "/dev/ro\\ot", ("rw", "noatime"), ("rw", "err"))
    ]
