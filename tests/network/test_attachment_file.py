from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sampan.network.attachment_file import AttachmentRecord, load_attachments, save_attachments


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    address = IPv4Address("10.42.0.5")
    record = AttachmentRecord(addresses={"pod": address}, last=address)
    save_attachments(tmp_path / "file", record)
    assert load_attachments(tmp_path / "file") == record
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"addresses": {"a": 7}}', b'{"last": "x"}'])
def test_a_torn_record_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert load_attachments(tmp_path / "file") == AttachmentRecord()


def test_no_record_is_an_empty_one(tmp_path: Path) -> None:
    assert load_attachments(tmp_path / "file") == AttachmentRecord()
