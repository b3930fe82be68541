"""Docker's documents in and out, and what is refused of them."""

import pytest

from sampan.engine.containers.configuration import (
    Configuration,
    HealthConfiguration,
    HostConfiguration,
    NetworkingConfiguration,
    RestartPolicy,
    converted,
    tree_of,
)
from sampan.engine.containers.image_defaults import with_image_defaults
from sampan.engine.containers.translation import limits, security_options
from sampan.engine.containers.validation import check, warnings
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import ExecutionConfiguration, HealthCheck


def test_a_body_is_decoded_with_nulls_words_and_unknown_fields() -> None:
    tree = {"Cmd": "ls", "Env": None, "Tty": True, "Nobody": 1, "Labels": {"a": "b"}}
    document = converted(tree, Configuration)
    assert document.command == ("ls",)
    assert document.terminal
    assert document.environment is None
    networks = converted({"EndpointsConfig": {"web": None}}, NetworkingConfiguration)
    assert networks.endpoints == {"web": None}
    with pytest.raises(InvalidConfiguration, match="invalid JSON"):
        converted({"Cmd": 5}, Configuration)


def test_an_inspection_has_the_names_of_docker_and_omits_what_docker_omits() -> None:
    shown = tree_of(HostConfiguration(init=False, uts_mode="host"))
    assert shown["UTSMode"] == "host"
    assert shown["Init"] is False
    assert shown["Binds"] is None
    assert not {"Tmpfs", "Mounts", "KernelMemory"} & shown.keys()
    assert tree_of(HealthConfiguration(retries=3)) == {"Retries": 3}


def test_an_image_gives_what_the_container_does_not_say() -> None:
    image = ExecutionConfiguration(
        user="app",
        env=("A=1", "B=2"),
        entrypoint=("/entry",),
        cmd=("x",),
        exposed_ports={"80/tcp": {}},
        healthcheck=HealthCheck(test=("CMD", "ok"), interval=5),
    )
    own = Configuration(environment=("B=3",), health_check=HealthConfiguration(interval=7))
    merged = with_image_defaults(own, image)
    assert merged.environment == ("B=3", "A=1")
    assert (merged.entrypoint, merged.command, merged.user) == (("/entry",), ("x",), "app")
    assert merged.exposed_ports == {"80/tcp": {}}
    assert merged.health_check == HealthConfiguration(test=("CMD", "ok"), interval=7)
    other = with_image_defaults(Configuration(entrypoint=("/mine",)), image)
    assert (other.entrypoint, other.command) == (("/mine",), None)
    none = with_image_defaults(Configuration(entrypoint=("",), command=("run",)), image)
    assert (none.entrypoint, none.command) == (None, ("run",))
    with pytest.raises(InvalidConfiguration, match="no command specified"):
        with_image_defaults(Configuration(), ExecutionConfiguration())


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (HostConfiguration(memory=1), "Minimum memory limit allowed is 6MB"),
        (HostConfiguration(memory=1 << 23, memory_swap=1), "larger than memory limit"),
        (HostConfiguration(nano_cpus=3 * 10**9), "range of CPUs is from 0.01 to 2.00"),
        (HostConfiguration(cpu_set_cpus="0-7"), "Requested CPUs are not available"),
        (HostConfiguration(cpu_period=5), "CPU cfs period"),
        (HostConfiguration(block_io_weight=5), "blkio weight"),
        (HostConfiguration(ipc_mode="odd"), "invalid IPC mode"),
        (HostConfiguration(port_bindings={"99999/tcp": None}), "invalid port specification"),
        (
            HostConfiguration(auto_remove=True, restart_policy=RestartPolicy(name="always")),
            "can't create 'AutoRemove' container",
        ),
        (HostConfiguration(out_of_memory_score_adjustment=2000), "oom score adj"),
    ],
)
def test_hosts_limits_are_checked(host: HostConfiguration, message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        check(Configuration(), host, processors=2)


def test_what_is_done_otherwise_is_warned_of() -> None:
    host = HostConfiguration(network_mode="host", publish_all_ports=True)
    assert "Published ports are discarded" in warnings(Configuration(), host)[0]
    assert warnings(Configuration(), HostConfiguration()) == ()


def test_limits_mean_the_same_to_the_mechanism() -> None:
    found = limits(HostConfiguration(nano_cpus=1_500_000_000, memory=1 << 23))
    assert (found.cpu_quota, found.cpu_period) == (150_000, 100_000)
    assert (found.memory, found.memory_and_swap, found.pids) == (1 << 23, 1 << 24, 4096)
    assert limits(HostConfiguration(processes_limit=-1)).pids == 0


def test_security_options_are_read() -> None:
    host = HostConfiguration(
        security_options=("no-new-privileges", "seccomp=unconfined", "apparmor=mine")
    )
    found = security_options(host)
    assert (found.no_new_privileges, found.seccomp, found.apparmor) == (True, "unconfined", "mine")
    with pytest.raises(InvalidConfiguration, match="security-opt"):
        security_options(HostConfiguration(security_options=("odd=1",)))
