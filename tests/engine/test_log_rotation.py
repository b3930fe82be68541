"""Logs that have grown are set aside, in order, and never more of them than allowed."""

import asyncio
from pathlib import Path
from typing import Any

from sampan.engine.contract import ContainerStatus
from sampan.engine.log_rotation import LogLimits, remove_log, rotate_once, rotated_file


class Reopening:
    """The part of an engine that rotation asks: it opens a fresh file, as conmon does."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def reopen_log(self, identifier: str) -> None:
        self._log.write_text("")


def rotate(log: Path, limits: LogLimits, phase: Any = "running") -> None:
    status = ContainerStatus(
        identifier="c1",
        name="c1",
        image="hello",
        image_digest="",
        phase=phase,
        log_path=str(log),
    )
    engine: Any = Reopening(log)
    asyncio.run(rotate_once(engine, [status], limits))


def test_parts_move_up_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    for text in ("first", "second", "third"):
        log.write_text(text)
        rotate(log, LogLimits(size=2, files=3))
    assert log.read_text() == ""
    assert rotated_file(log, 1).read_text() == "third"
    assert rotated_file(log, 2).read_text() == "second"
    assert not rotated_file(log, 3).exists()


def test_small_logs_and_those_of_ended_containers_stay(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    log.write_text("short")
    rotate(log, LogLimits(size=5))
    rotate(log, LogLimits(size=1), phase="exited")
    assert log.read_text() == "short"


def test_a_log_is_removed_with_its_older_parts_and_no_other_file(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    others = [tmp_path / "0.log.gz", tmp_path / "10.log"]
    for file in (log, rotated_file(log, 1), rotated_file(log, 2), *others):
        file.write_text("x")
    remove_log(log)
    remove_log(log)
    assert sorted(tmp_path.iterdir()) == sorted(others)
