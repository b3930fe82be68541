"""Processes that must run: started again when they end, adopted, ended when asked to.

Real children, forked here; each is waited for by its descriptor, never by sleeping.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.daemon.dispatcher import Dispatcher
from sampan.daemon.process_records import ProcessRecords
from sampan.daemon.supervised import Supervised
from sampan.host import forking


def sleep_for_ever() -> None:
    signal.pause()


class Started:
    """Forks sleeping children, remembers them, and ends those that are left."""

    def __init__(self) -> None:
        self.processes: list[int] = []

    def __call__(self) -> int:
        self.processes.append(forking.fork(sleep_for_ever))
        return self.processes[-1]


@pytest.fixture
def started() -> Iterator[Started]:
    children = Started()
    yield children
    for process in children.processes:
        try:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        except (ProcessLookupError, ChildProcessError):
            continue


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    made = Dispatcher()
    yield made
    made.close()


@pytest.fixture
def records(tmp_path: Path) -> ProcessRecords:
    return ProcessRecords(tmp_path)


def run_until_ended(dispatcher: Dispatcher, process: int) -> None:
    """Run the loop past the callbacks that the end of a process has."""
    descriptor = os.pidfd_open(process)
    os.kill(process, signal.SIGKILL)
    dispatcher.on_readable(descriptor, dispatcher.stop)
    dispatcher.run()
    dispatcher.forget(descriptor)
    os.close(descriptor)
    forking.reap_children()


def test_what_ends_is_started_again(
    started: Started, records: ProcessRecords, dispatcher: Dispatcher
) -> None:
    role = Supervised("role", started, dispatcher, records)
    assert role.run()
    run_until_ended(dispatcher, started.processes[0])
    assert len(started.processes) == 2
    assert role.process == started.processes[1]


def test_what_runs_is_not_started_twice(
    started: Started, records: ProcessRecords, dispatcher: Dispatcher
) -> None:
    role = Supervised("role", started, dispatcher, records)
    role.run()
    assert not role.run()
    assert len(started.processes) == 1


def test_a_successor_adopts_what_runs(
    started: Started, records: ProcessRecords, dispatcher: Dispatcher
) -> None:
    Supervised("role", started, dispatcher, records).run()
    successor = Supervised("role", started, dispatcher, records)
    assert not successor.run()
    assert successor.process == started.processes[0]


def test_what_is_ended_stays_ended(
    started: Started, records: ProcessRecords, dispatcher: Dispatcher
) -> None:
    role = Supervised("role", started, dispatcher, records)
    role.run()
    role.end(signal.SIGTERM, dispatcher.stop)
    dispatcher.run()
    assert role.process is None
    assert len(started.processes) == 1
    assert records.roles() == ()


def test_the_end_of_what_does_not_run_comes_at_once(
    started: Started, records: ProcessRecords, dispatcher: Dispatcher
) -> None:
    calls: list[str] = []
    role = Supervised("role", started, dispatcher, records)
    role.end(signal.SIGTERM, lambda: calls.append("ended"))
    assert calls == ["ended"]


def test_a_record_of_another_process_with_the_same_number_is_not_believed(
    records: ProcessRecords, tmp_path: Path
) -> None:
    (tmp_path / "role").write_text(f'{{"process": {os.getpid()}, "start_time": 1}}')
    assert records.living("role") is None
