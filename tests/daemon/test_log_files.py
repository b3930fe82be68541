"""A process's log: bounded, and in place of its standard output. Tried in a child process."""

import os
from collections.abc import Callable
from pathlib import Path

from sampan.daemon.log_files import BoundedFile
from sampan.host import forking


def run(child: Callable[[], None]) -> int:
    process = forking.fork(child)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_two_files_are_kept_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "server.log"

    def write() -> None:
        log = BoundedFile(path, 100)
        for number in range(20):
            log.write(f"line {number:04}\n")

    assert run(write) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["server.log", "server.log.1"]
    assert path.read_text().endswith("line 0019\n")
    assert path.stat().st_size <= 100
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_the_process_prints_goes_there_too(tmp_path: Path) -> None:
    path = tmp_path / "server.log"

    def write() -> None:
        BoundedFile(path, 30).write("x" * 29)
        BoundedFile(path, 30).write("first\n")
        os.write(2, b"a traceback\n")

    assert run(write) == 0
    assert path.read_text() == "first\na traceback\n"
