"""The file grows to its bound, keeps so many backups, and survives a bad disk."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from sampan.control.api.audit import log_file
from sampan.control.api.audit.log_file import AuditLog, Rotation


def written(path: Path, lines: list[bytes], rotation: Rotation) -> None:
    async def story() -> None:
        log = AuditLog(path, rotation)
        log.start()
        for line in lines:
            log.write(line)
        await log.close()

    asyncio.run(story())


def test_lines_are_in_the_file_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "log" / "audit.log"
    written(path, [b"one\n", b"two\n"], Rotation())
    written(path, [b"three\n"], Rotation())
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_full_file_is_put_aside_and_old_ones_go(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    lines = [b"%04d\n" % number for number in range(100)]
    written(path, lines, Rotation(size=50, backups=3))
    kept = [*sorted(tmp_path.glob("audit-*.log")), path]
    assert [file.stat().st_size for file in kept] == [50, 50, 50, 50]
    assert b"".join(file.read_bytes() for file in kept) == b"".join(lines[60:])


def test_backups_go_after_their_days(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    old = tmp_path / "audit-1.log"
    old.write_bytes(b"old")
    os.utime(old, (0, time.time() - 3 * 86400))
    written(path, [b"a" * 40, b"b" * 40], Rotation(size=50, backups=0, days=2))
    assert not old.exists()
    assert len(list(tmp_path.glob("audit-*.log"))) == 1


def test_no_other_file_is_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    (tmp_path / "audit.log").symlink_to(victim)
    written(tmp_path / "audit.log", [b"line\n"], Rotation())
    assert victim.read_bytes() == b""


def test_memory_is_bounded_and_what_was_dropped_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_file, "MOST_WAITING", 100)
    path = tmp_path / "audit.log"
    written(path, [b"x" * 40] * 5, Rotation())
    assert path.stat().st_size == 80
    assert "3 lines of the audit log were dropped" in caplog.text


def test_a_file_that_cannot_be_put_aside_costs_lines_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed: list[int] = []
    close = os.close

    def noted(descriptor: int) -> None:
        closed.append(descriptor)
        close(descriptor)

    def refused(*_: object) -> None:
        raise OSError("the folder is read-only")

    monkeypatch.setattr(Path, "rename", refused)
    monkeypatch.setattr(log_file.os, "close", noted)
    written(tmp_path / "audit.log", [b"a" * 40, b"b" * 40], Rotation(size=50))
    assert len(closed) == 1
    assert "were lost: the folder is read-only" in caplog.text
