"""Profiles of the node's own folder: what is read, and what is refused."""

from pathlib import Path

import pytest

from sampan.node.seccomp_profiles import SeccompProfileUnusable, localhost_profile

PROFILE = '{"defaultAction": "SCMP_ACT_ALLOW"}'


def test_a_profile_is_read_from_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "audit.json").write_text(PROFILE)
    assert localhost_profile(tmp_path, "profiles/audit.json") == PROFILE


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside.json", "a/../../outside.json"])
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.json").write_text(PROFILE)
    (tmp_path / "seccomp").mkdir()
    with pytest.raises(SeccompProfileUnusable, match="must be a relative path"):
        localhost_profile(tmp_path / "seccomp", name)


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text(PROFILE)
    (tmp_path / "seccomp").mkdir()
    (tmp_path / "seccomp" / "link.json").symlink_to(tmp_path / "outside.json")
    with pytest.raises(SeccompProfileUnusable, match="No such file"):
        localhost_profile(tmp_path / "seccomp", "link.json")


@pytest.mark.parametrize("name", ["missing.json", "none/missing.json"])
def test_a_missing_profile_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SeccompProfileUnusable, match=f"{name}.*No such file or directory"):
        localhost_profile(tmp_path, name)


@pytest.mark.parametrize("content", [b"", b"unconfined", b"default", b"\xff{}"])
def test_only_a_document_is_a_profile(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.json").write_bytes(content)
    with pytest.raises(SeccompProfileUnusable, match="it is not"):
        localhost_profile(tmp_path, "odd.json")
