"""Limits, devices, sysctls and mounts in the OCI runtime's terms."""

from pathlib import Path

import pytest

from sampan.engine.configuration import (
    ContainerConfiguration,
    DeviceRate,
    Limits,
    Mount,
    ResourceLimit,
)
from sampan.engine.contract import InvalidConfiguration, NotImplementedHere
from sampan.engine.runtime.devices import DeviceNode, access_rules
from sampan.engine.runtime.mount_table import mount_table, root_propagation
from sampan.engine.runtime.namespace_list import namespace_list
from sampan.engine.runtime.resource_limits import resource_limits
from sampan.engine.runtime.resources import (
    check_changeable,
    control_group_limits,
    device_numbers,
    io_weights,
    resources,
)
from sampan.engine.runtime.signals import signal_number
from sampan.engine.runtime.surroundings import SharedNamespaces, Surroundings
from sampan.engine.runtime.sysctls import checked_sysctls
from sampan.host.cgroup_limits import IoRate


def configured(**settings: object) -> ContainerConfiguration:
    return ContainerConfiguration(
        **{"name": "x", "image": "i", "cgroup_parent": "group", "log_path": ""} | settings
    )


def test_what_is_not_limited_is_left_out() -> None:
    assert resources(Limits(), {}, accounts_swap=True) == {}


def test_all_limits_find_their_places() -> None:
    limits = Limits(
        cpu_quota=5000,
        cpu_period=10_000,
        cpu_shares=7,
        processors="0-1",
        memory=1 << 30,
        memory_and_swap=-1,
        memory_reservation=1 << 20,
        memory_swappiness=0,
        pids=3,
        io_weight=300,
        read_bytes=(DeviceRate("/dev/a", 1),),
        write_operations=(DeviceRate("/dev/a", 2),),
    )
    assert resources(limits, {"/dev/a": (8, 1)}, accounts_swap=True) == {
        "cpu": {"quota": 5000, "period": 10_000, "shares": 7, "cpus": "0-1"},
        "memory": {"limit": 1 << 30, "swap": -1, "reservation": 1 << 20, "swappiness": 0},
        "pids": {"limit": 3},
        "blockIO": {
            "throttleReadBpsDevice": [{"major": 8, "minor": 1, "rate": 1}],
            "throttleWriteIOPSDevice": [{"major": 8, "minor": 1, "rate": 2}],
        },
    }
    unified = resources(limits, {"/dev/a": (8, 1)}, accounts_swap=True, version=2)
    assert "swappiness" not in unified["memory"]
    assert io_weights(limits, {}).io_weight == 300
    assert "swap" not in resources(limits, {"/dev/a": (8, 1)}, accounts_swap=False)["memory"]


@pytest.mark.parametrize(
    "limits",
    [
        Limits(processors="0-"),
        Limits(memory_nodes="x"),
        Limits(memory=2 << 20, memory_and_swap=1 << 20),
        Limits(memory_swappiness=101),
        Limits(io_weight=5),
        Limits(io_device_weights=(DeviceRate("/dev/a", 5000),)),
    ],
)
def test_limits_that_no_kernel_takes_are_refused(limits: Limits) -> None:
    for make in (
        lambda: resources(limits, {"/dev/a": (8, 1)}, accounts_swap=True),
        lambda: control_group_limits(limits, {"/dev/a": (8, 1)}, accounts_swap=True),
    ):
        with pytest.raises(InvalidConfiguration):
            make()


def test_a_limit_of_what_is_no_block_device_is_refused(tmp_path: Path) -> None:
    for path in ("/dev/null", str(tmp_path / "missing")):
        with pytest.raises(InvalidConfiguration):
            device_numbers(Limits(read_bytes=(DeviceRate(path, 1),)))


def test_what_cannot_be_taken_away_while_a_container_runs() -> None:
    weighed = Limits(io_device_weights=(DeviceRate("/dev/a", 20),))
    for before, after in (
        (Limits(memory=1), Limits(memory=2)),
        (Limits(), weighed),
        (Limits(write_bytes=(DeviceRate("/dev/a", 1),)), Limits()),
        (Limits(), Limits(cpu_realtime_runtime=1000)),
    ):
        check_changeable(before, after)
    for before, after in (
        (weighed, Limits()),
        (Limits(cpu_realtime_runtime=1000), Limits()),
        (Limits(), Limits(out_of_memory_kill_disabled=True)),
    ):
        with pytest.raises(NotImplementedHere):
            check_changeable(before, after)


def test_rates_of_devices_are_limits_of_a_group() -> None:
    limits = Limits(
        read_bytes=(DeviceRate("/dev/a", 1),), write_operations=(DeviceRate("/dev/a", 2),)
    )
    made = control_group_limits(limits, {"/dev/a": (8, 1)}, accounts_swap=True)
    assert made.io_rates == (IoRate(8, 1, "read_bytes", 1), IoRate(8, 1, "write_operations", 2))


def test_devices_are_denied_but_for_those_that_are_given() -> None:
    node = DeviceNode(path="/dev/x", kind="b", major=7, minor=1, mode=0o600, permissions="r")
    rules = list(access_rules([node], ["c 10:* rw"], every=False))
    assert rules[0] == {"allow": False, "access": "rwm"}
    assert rules[-2] == {"allow": True, "type": "b", "major": 7, "minor": 1, "access": "r"}
    assert rules[-1] == {"allow": True, "type": "c", "access": "rw", "major": 10}
    for line in ("c 10:* x", "d 1:1 r", "c 1 r", "c 1:1 rwmr"):
        with pytest.raises(InvalidConfiguration):
            list(access_rules([], [line], every=False))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("net.ipv4.ip_forward", {"network_namespace": "host"}),
        ("kernel.msgmax", {"ipc_mode": "host"}),
        ("kernel.msgmax", {"share_ipc_namespace_of": "x"}),
        ("kernel.domainname", {"host_uts_namespace": True}),
        ("kernel.hostname", {}),
        ("kernel.shm_rmid_forced+x", {}),
        ("net.ipv4.../x", {}),
        ("fs.file-max", {}),
        ("", {}),
    ],
)
def test_sysctls_that_are_not_the_containers_own_are_refused(
    name: str, settings: dict[str, object]
) -> None:
    with pytest.raises(InvalidConfiguration):
        checked_sysctls(configured(sysctls={name: "1"}, **settings))


def test_sysctls_of_own_namespaces_are_taken() -> None:
    wanted = {"net.ipv4.conf.eth0/100.forwarding": "1", "fs.mqueue.msg_max": "9"}
    assert checked_sysctls(configured(sysctls=wanted)) == wanted


def test_a_wanted_mount_takes_the_place_of_a_usual_one() -> None:
    mounts = (Mount(source="/own", target="/dev/shm"), Mount(source="/deep", target="/a/b/c"))
    table = mount_table(configured(mounts=mounts), Surroundings())
    shared = [mount for mount in table if mount["destination"] == "/dev/shm"]
    assert [mount["source"] for mount in shared] == ["/own"]
    assert table[-1]["destination"] == "/a/b/c"


def test_propagation_reaches_the_root() -> None:
    assert root_propagation(configured()) == ""
    mounts = (Mount(source="/a", target="/a", propagation="rslave"),)
    assert root_propagation(configured(mounts=mounts)) == "rslave"
    option = mount_table(configured(mounts=mounts), Surroundings())[-1]["options"]
    assert option == ["rbind", "rslave", "rw"]


def test_namespaces_are_own_shared_or_the_hosts() -> None:
    listed = namespace_list(
        configured(network_namespace="/run/netns/x", host_uts_namespace=True, ipc_mode="host"),
        SharedNamespaces(processes="/proc/7/ns/pid"),
    )
    assert listed == [
        {"type": "mount"},
        {"type": "cgroup"},
        {"type": "pid", "path": "/proc/7/ns/pid"},
        {"type": "network", "path": "/run/netns/x"},
    ]


def test_resource_limits_are_lowered_to_what_can_be_given() -> None:
    found = resource_limits([ResourceLimit("nproc", 10, -1)], {"nofile": 64, "nproc": 99})
    assert found == [
        {"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64},
        {"type": "RLIMIT_NPROC", "soft": 10, "hard": 99},
    ]
    for wrong in (ResourceLimit("nothing", 1, 1), ResourceLimit("core", 2, 1)):
        with pytest.raises(InvalidConfiguration):
            resource_limits([wrong], {})


@pytest.mark.parametrize(
    ("name", "number"),
    [("", 15), ("TERM", 15), ("sigkill", 9), ("10", 10), ("RTMIN", 34), ("SIGRTMIN+3", 37)],
)
def test_signals_by_their_names(name: str, number: int) -> None:
    assert signal_number(name) == number


@pytest.mark.parametrize("name", ["NOSUCH", "0", "99", "RTMIN+", "RTMAX+5", "-1", "SIG"])
def test_what_is_no_signal_is_refused(name: str) -> None:
    with pytest.raises(InvalidConfiguration):
        signal_number(name)
