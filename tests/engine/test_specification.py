"""The OCI runtime's document, from configurations to what the runtime is told."""

import pytest

from sampan.engine.configuration import ContainerConfiguration, Limits, Mount
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import ExecutionConfiguration
from sampan.engine.runtime import capabilities
from sampan.engine.runtime.specification import HostFacts, runtime_specification
from sampan.engine.runtime.users import ResolvedUser

HOST = HostFacts(
    capabilities=frozenset(capabilities.ALL) - {"CAP_SYS_RESOURCE"},
    accounts_swap=True,
    highest_limits={"nofile": 4096},
    lowest_out_of_memory_score=0,
)
IMAGE = ExecutionConfiguration(
    entrypoint=("/entry",), cmd=("default",), env=("A=image", "B=b"), working_dir="/work"
)


def specify(image: ExecutionConfiguration = IMAGE, **settings: object) -> dict[str, object]:
    configuration = ContainerConfiguration(
        **{"name": "x", "image": "i", "cgroup_parent": "group", "log_path": "/log"} | settings
    )
    return runtime_specification(
        configuration, image, ResolvedUser(0, 0), HOST, root="/root", cgroup="group/id"
    )


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({}, ["/entry", "default"]),
        ({"command": ("own",)}, ["/entry", "own"]),
        ({"entrypoint": ("other",)}, ["other"]),
        ({"entrypoint": ("other",), "command": ("own",)}, ["other", "own"]),
        ({"entrypoint": (), "command": ("own",)}, ["own"]),
    ],
)
def test_the_command_line(settings: dict[str, object], arguments: list[str]) -> None:
    assert specify(**settings)["process"]["args"] == arguments


def test_no_command_at_all_is_refused() -> None:
    with pytest.raises(InvalidConfiguration):
        specify(ExecutionConfiguration())


def test_the_environment_is_the_images_with_the_containers_over_it() -> None:
    specified = specify(environment={"A": "own", "C": "c"}, hostname="boat")
    assert set(specified["process"]["env"]) >= {
        "A=own",
        "B=b",
        "C=c",
        "HOSTNAME=boat",
        "HOME=/root",
    }
    assert any(entry.startswith("PATH=/usr/local") for entry in specified["process"]["env"])


def test_little_is_granted_by_default() -> None:
    process, linux = specify()["process"], specify()["linux"]
    assert process["noNewPrivileges"] is True
    assert "CAP_SYS_ADMIN" not in process["capabilities"]["bounding"]
    assert "CAP_CHOWN" in process["capabilities"]["bounding"]
    assert "/proc/kcore" in linux["maskedPaths"]
    assert "/proc/sys" in linux["readonlyPaths"]
    assert linux["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    allowed = {name for entry in linux["seccomp"]["syscalls"] for name in entry["names"]}
    assert not allowed & {"mount", "keyctl", "bpf", "unshare", "setns", "init_module"}
    assert "read" in allowed


def test_capabilities_are_added_and_dropped() -> None:
    specified = specify(added_capabilities=("NET_ADMIN",), dropped_capabilities=("ALL",))
    assert specified["process"]["capabilities"]["bounding"] == ["CAP_NET_ADMIN"]
    with pytest.raises(InvalidConfiguration):
        specify(added_capabilities=("NOSUCH",))


def test_a_privileged_container_gets_what_the_host_can_give() -> None:
    specified = specify(privileged=True)
    held = specified["process"]["capabilities"]["bounding"]
    assert "CAP_SYS_ADMIN" in held
    assert "CAP_SYS_RESOURCE" not in held
    assert "seccomp" not in specified["linux"]
    assert "maskedPaths" not in specified["linux"]


def test_limits() -> None:
    limits = Limits(cpu_quota=50_000, cpu_shares=512, memory=1 << 20, pids=7)
    resources = specify(limits=limits)["linux"]["resources"]
    assert resources["cpu"] == {"quota": 50_000, "period": 100_000, "shares": 512}
    assert resources["memory"] == {"limit": 1 << 20, "swap": 1 << 20}
    assert resources["pids"] == {"limit": 7}
    assert "memory" not in specify()["linux"]["resources"]


def test_a_score_lower_than_the_host_may_set_is_raised_to_it() -> None:
    assert specify(out_of_memory_score_adjustment=-997)["process"]["oomScoreAdj"] == 0
    assert specify(out_of_memory_score_adjustment=500)["process"]["oomScoreAdj"] == 500
    assert "oomScoreAdj" not in specify()["process"]


@pytest.mark.parametrize(
    ("settings", "namespace"),
    [
        ({}, {"type": "network"}),
        ({"network_namespace": "/run/ns"}, {"type": "network", "path": "/run/ns"}),
        ({"network_namespace": "host"}, None),
    ],
)
def test_the_network_namespace(
    settings: dict[str, object], namespace: dict[str, str] | None
) -> None:
    found = [
        each for each in specify(**settings)["linux"]["namespaces"] if each["type"] == "network"
    ]
    assert found == ([namespace] if namespace else [])


def test_mounts_come_after_those_of_the_kernel_and_outer_ones_first() -> None:
    mounts = specify(
        mounts=(
            Mount(source="/a", target="/data/inner"),
            Mount(source="/b", target="/data", read_only=True),
            Mount(kind="tmpfs", target="/tmp", size=5),
        )
    )["mounts"]
    targets = [mount["destination"] for mount in mounts]
    assert targets[-3:] == ["/data", "/tmp", "/data/inner"]
    assert "ro" in mounts[-3]["options"]
    assert "size=5" in mounts[-2]["options"]


@pytest.mark.parametrize(
    "mount",
    [
        Mount(source="relative", target="/x"),
        Mount(source="/x", target="relative"),
        Mount(source="/x", target="/"),
    ],
)
def test_mounts_that_make_no_sense_are_refused(mount: Mount) -> None:
    with pytest.raises(InvalidConfiguration):
        specify(mounts=(mount,))


@pytest.mark.parametrize("folder", ["/proc/self/fd/3", "//proc/self", "x", "/a/../proc"])
def test_a_working_directory_must_not_lead_out(folder: str) -> None:
    with pytest.raises(InvalidConfiguration):
        specify(working_directory=folder)


def test_an_unknown_seccomp_profile_is_refused() -> None:
    with pytest.raises(InvalidConfiguration):
        specify(seccomp_profile="")
    assert "seccomp" not in specify(seccomp_profile="unconfined")["linux"]
