"""Forked children: what they keep, how they end."""

import os
import signal
import threading

import pytest

from sampan.host import forking


def ended(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_a_child_that_returns_ends_with_zero() -> None:
    assert ended(forking.fork(lambda: None)) == 0


def test_a_child_that_raises_ends_with_one() -> None:
    def fail() -> None:
        raise OSError("meant to fail")

    assert ended(forking.fork(fail)) == 1


def test_a_child_that_exits_ends_with_its_code() -> None:
    def leave() -> None:
        raise SystemExit(3)

    assert ended(forking.fork(leave)) == 3


def test_a_child_keeps_only_the_descriptors_it_was_given() -> None:
    reader, writer = os.pipe()
    _, other = os.pipe()

    def check() -> None:
        os.write(writer, b"kept")
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(other, b"closed")

    assert ended(forking.fork(check, keep=(writer,))) == 0
    assert os.read(reader, 10) == b"kept"


def test_a_childs_signals_act_by_default() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        process = forking.fork(signal.pause)
    finally:
        signal.signal(signal.SIGTERM, before)
    descriptor = os.pidfd_open(process)
    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    os.close(descriptor)
    assert ended(process) == -signal.SIGKILL


def test_a_process_with_threads_is_not_forked() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="busy")
    thread.start()
    try:
        with pytest.raises(forking.ThreadsAreRunning, match="busy"):
            forking.fork(lambda: None)
    finally:
        release.set()
        thread.join()


def test_ended_children_are_reaped() -> None:
    process = forking.fork(lambda: None)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    assert (process, 0) in forking.reap_children()
