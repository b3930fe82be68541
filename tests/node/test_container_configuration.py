"""From a pod to what the engine runs: users, security, limits, commands."""

import pytest

from sampan.engine.configuration import Limits
from sampan.node.container_configuration import RunSettings, configuration
from sampan.node.quality_of_service import container_limits, pod_requests, quality_of_service
from sampan.node.references import MissingReference


def configured(make_pod, container=None, pod=None, image_user="", localhost_profile=""):
    spec = {"containers": [{"name": "main", "image": "hello", **(container or {})}]}
    made = make_pod(spec | {"securityContext": pod or {}})
    around = RunSettings(
        cgroup_parent="sampan/node-1/pods/podu-1",
        network_namespace="/run/netns/u-1",
        hostname="web",
        mounts=(),
        environment={"PORT": "80"},
        log_path="/logs/0.log",
        pids_limit=100,
        image_user=image_user,
        localhost_profile=localhost_profile,
    )
    return configuration(made, made.spec.containers[0], around, attempt=2, sandbox=1, delay=10.0)


def test_names_and_labels_tell_the_next_agent_whose_it_is(make_pod):
    made = configured(make_pod)
    assert made.name == "k8s_main_web_shop_u-1_2"
    assert made.labels == {
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.name": "web",
        "io.kubernetes.pod.uid": "u-1",
        "io.kubernetes.container.name": "main",
        "io.kubernetes.container.restartCount": "2",
        "io.sampan.pod.sandbox": "1",
        "io.sampan.container.restartDelay": "10",
    }


def test_commands_are_the_images_unless_given_and_expanded(make_pod):
    plain = configured(make_pod)
    assert (plain.entrypoint, plain.command) == (None, None)
    given = configured(make_pod, {"command": ["serve", "$(PORT)"], "args": ["$$(PORT)"]})
    assert (given.entrypoint, given.command) == (("serve", "80"), ("$(PORT)",))


@pytest.mark.parametrize(
    ("pod", "container", "image_user", "user"),
    [
        ({}, {}, "app", ""),
        ({"runAsUser": 5}, {}, "", "5"),
        ({"runAsUser": 5}, {"runAsUser": 0}, "", "0"),
        ({"runAsUser": 5, "runAsGroup": 6}, {}, "", "5:6"),
        ({"runAsGroup": 6}, {}, "app:app", "app:6"),
        ({"runAsGroup": 6}, {}, "", "0:6"),
        ({"runAsNonRoot": True}, {}, "1000", ""),
        ({"runAsNonRoot": True}, {"runAsUser": 7}, "root", "7"),
        ({"runAsNonRoot": True}, {"runAsNonRoot": False}, "root", ""),
    ],
)
def test_users(make_pod, pod, container, image_user, user):
    assert configured(make_pod, {"securityContext": container}, pod, image_user).user == user


@pytest.mark.parametrize("image_user", ["", "root", "0", "00", "0:0", "root:root", "app", "٠"])
def test_run_as_non_root_refuses_images_that_may_run_as_root(make_pod, image_user):
    with pytest.raises(MissingReference, match="runAsNonRoot"):
        configured(make_pod, pod={"runAsNonRoot": True}, image_user=image_user)


def test_run_as_non_root_refuses_user_zero(make_pod):
    with pytest.raises(MissingReference, match="will run as root"):
        configured(make_pod, pod={"runAsNonRoot": True, "runAsUser": 0}, image_user="1000")


def test_a_container_is_confined_unless_it_asks(make_pod):
    made = configured(make_pod)
    assert made.seccomp_profile == "default"
    assert not made.privileged
    assert not made.allow_privilege_escalation
    asked = configured(
        make_pod,
        {
            "securityContext": {
                "allowPrivilegeEscalation": True,
                "seccompProfile": {"type": "Unconfined"},
                "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
        },
    )
    assert asked.allow_privilege_escalation
    assert asked.seccomp_profile == "unconfined"
    assert asked.added_capabilities == ("NET_ADMIN",)
    assert asked.dropped_capabilities == ("ALL",)
    assert asked.read_only_root


def test_an_empty_localhost_profile_is_refused(make_pod):
    profile = {"seccompProfile": {"type": "Localhost", "localhostProfile": ""}}
    with pytest.raises(MissingReference, match="localhostProfile"):
        configured(make_pod, {"securityContext": profile})


def test_the_nodes_own_profile_holds_unless_the_container_is_privileged(make_pod):
    profile = {"seccompProfile": {"type": "Localhost", "localhostProfile": "audit.json"}}
    text = '{"defaultAction": "SCMP_ACT_LOG"}'
    for privileged, expected in ((False, text), (True, "unconfined")):
        security = {"securityContext": {**profile, "privileged": privileged}}
        made = configured(make_pod, security, localhost_profile=text)
        assert made.seccomp_profile == expected


def test_groups(make_pod):
    pod = {"supplementalGroups": [4, 5], "fsGroup": 5}
    assert configured(make_pod, pod=pod).supplemental_groups == (4, 5)


@pytest.mark.parametrize(
    ("limits", "requests", "expected"),
    [
        ({}, {}, Limits(cpu_shares=2, pids=9)),
        ({"cpu": "500m"}, {}, Limits(cpu_quota=50_000, cpu_shares=512, pids=9)),
        ({"cpu": 2}, {"cpu": "1"}, Limits(cpu_quota=200_000, cpu_shares=1024, pids=9)),
        ({"memory": "64Mi"}, {}, Limits(cpu_shares=2, memory=64 << 20, pids=9)),
        ({"cpu": "1m"}, {}, Limits(cpu_quota=1000, cpu_shares=2, pids=9)),
    ],
)
def test_limits(make_pod, limits, requests, expected):
    resources = {"limits": limits, "requests": requests}
    pod = make_pod({"containers": [{"name": "main", "resources": resources}]})
    assert container_limits(pod.spec.containers[0], 9) == expected


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "0"}}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "1000m"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"limits": {"cpu": "1"}}], "Burstable"),
    ],
)
def test_quality_of_service(make_pod, resources, quality):
    containers = [{"name": f"c{n}", "resources": item} for n, item in enumerate(resources)]
    assert quality_of_service(make_pod({"containers": containers}).spec) == quality


def test_a_pods_requests_are_its_sum_or_its_largest_init_container(make_pod):
    def one(name, cpu, **more):
        return {"name": name, "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "containers": [one("a", "100m"), one("b", "200m")],
        "initContainers": [one("i", "500m")],
    }
    assert float(pod_requests(make_pod(spec).spec)["cpu"]) == 0.5
    spec["initContainers"] = [one("s", "300m", restartPolicy="Always"), one("i", "100m")]
    assert float(pod_requests(make_pod(spec).spec)["cpu"]) == 0.6
