"""Reading what the kernel and ps say of a container."""

import pytest

from sampan.engine.containers.contract import Change
from sampan.engine.containers.observation import network_counters, table, without_mount_points
from sampan.engine.contract import EngineError

_PS = """UID          PID    PPID CMD
root          10       1 sh -c echo  a b
root          11      10 sleep 5
app           99       1 other
"""
_DEV = """Inter-|   Receive                            |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo
    lo:  1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
  eth0: 426 5 1 2 0 0 0 0 90 3 4 6 0 0 0 0
"""


def test_processes_of_others_are_left_out() -> None:
    found = table(_PS, frozenset((10, 11)))
    assert found.titles == ("UID", "PID", "PPID", "CMD")
    assert found.processes == (
        ("root", "10", "1", "sh -c echo  a b"),
        ("root", "11", "10", "sleep 5"),
    )
    with pytest.raises(EngineError, match="Couldn't find PID field"):
        table("CMD\nsh\n", frozenset((1,)))


def test_interfaces_are_counted_but_for_the_loopback() -> None:
    found = network_counters(_DEV)
    assert found.keys() == {"eth0"}
    counters = found["eth0"]
    assert (counters.received_bytes, counters.received_dropped) == (426, 2)
    assert (counters.sent_bytes, counters.sent_packets, counters.sent_errors) == (90, 3, 4)


def test_what_the_runtime_mounts_upon_is_no_change_of_the_containers() -> None:
    runtime = [Change("/dev", 1), Change("/etc", 0), Change("/etc/hosts", 1), Change("/sys", 1)]
    assert without_mount_points([*runtime, Change("/data", 1)]) == [Change("/data", 1)]
    own = Change("/etc/own", 1)
    assert without_mount_points([*runtime, own]) == [Change("/etc", 0), own]
