"""An instance as its owner handles it: growing it, killing its parts, two side by side."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.real.cluster.conftest import build_demo
from tests.real.harness import (
    Cluster,
    Namespaces,
    eventually,
    is_ready,
    leftovers,
    running_cluster,
)

pytestmark = pytest.mark.real

POD = """
apiVersion: v1
kind: Pod
metadata: {name: sleeper, namespace: default}
spec:
  containers: [{name: main, image: hello:1}]
"""


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One node, with a pod that sleeps."""
    with running_cluster(tmp_path_factory.mktemp("single"), nodes=1) as cluster:
        build_demo(cluster)
        cluster.apply(POD)
        eventually(lambda: is_ready(cluster.get("pod", "sleeper")), 20, "the pod runs")
        yield cluster


def processes(cluster: Cluster) -> dict[str, int]:
    found = json.loads(cluster.sampan("status", "-o", "json").stdout)["processes"]
    return {item["role"]: item["process"] for item in found}


def pod_processes(cluster: Cluster) -> set[int]:
    groups = Path("/sys/fs/cgroup").glob(
        f"**/{cluster.instance.cgroup}/node-1/pods/**/cgroup.procs"
    )
    return {int(line) for group in groups for line in group.read_text().split()}


def test_a_killed_holder_is_replaced_and_the_containers_run_on(single: Cluster) -> None:
    before, holder = pod_processes(single), processes(single)["node-1"]
    assert before
    os.kill(holder, signal.SIGKILL)

    def replaced() -> bool:
        return processes(single).get("node-1") not in (None, holder)

    eventually(replaced, 10, "another holder")
    time.sleep(5)
    assert is_ready(single.get("node", "node-1"))
    assert pod_processes(single) == before
    assert single.kubectl("exec", "sleeper", "--", "echo", "here").stdout == "here\n"


def test_a_killed_engine_is_replaced(single: Cluster) -> None:
    engine = processes(single)["engine"]
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: processes(single).get("engine") not in (None, engine), 10, "another engine")

    def runs() -> bool:
        answer = single.sampan("run", "--rm", "--entrypoint", "/bin/echo", "hello:1", "hi")
        return answer.stdout == "hi\n"

    eventually(runs, 10, "a container runs")


def test_flushed_packet_rules_come_back(single: Cluster) -> None:
    table = single.instance.packet_table
    assert single.run("nft", "delete", "table", "ip", table).returncode == 0
    listing = ("nft", "list", "table", "ip", table)
    eventually(lambda: single.run(*listing).returncode == 0, 10, "the rules are restored")


def test_a_node_is_added_to_a_running_cluster(single: Cluster) -> None:
    before, containers = processes(single), pod_processes(single)
    answer = single.sampan("up", "--nodes", "2")
    assert answer.returncode == 0, answer.stderr
    assert is_ready(single.get("node", "node-2"))
    after = processes(single)
    assert {role: after[role] for role in before} == before
    assert pod_processes(single) == containers

    def shared_out() -> bool:
        shares = {
            node["status"]["capacity"]["memory"]
            for node in single.get("nodes")["items"]
            if is_ready(node)
        }
        return len(shares) == 1

    eventually(shared_out, 10, "two nodes with the same share of the machine")


def test_the_users_context_is_given_back(tmp_path: Path) -> None:
    users = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me"}}],
        "current-context": "work",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(users))
    with running_cluster(tmp_path, nodes=1) as cluster:
        assert cluster.kubectl("config", "current-context").stdout.strip() == cluster.instance.name
        assert cluster.instance.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(path.read_text()) == users


def test_down_needs_no_supervisor(tmp_path: Path) -> None:
    with running_cluster(tmp_path, nodes=2) as cluster:
        supervisor = json.loads(cluster.sampan("status", "-o", "json").stdout)["supervisor"]
        os.kill(supervisor, signal.SIGKILL)
        assert cluster.sampan("down").returncode == 0
        assert leftovers(cluster) == []
        answer = cluster.sampan("status")
        advice = f"sampan --instance {cluster.instance.name} up"
        assert (answer.returncode, advice in answer.stderr) == (1, True)


def test_what_was_there_is_there_after_down_and_up(tmp_path: Path) -> None:
    with running_cluster(tmp_path, nodes=1) as cluster:
        build_demo(cluster)
        cluster.apply(POD)
        eventually(lambda: is_ready(cluster.get("pod", "sleeper")), 20, "the pod runs")
        assert cluster.sampan("down").returncode == 0
        assert leftovers(cluster) == []
        assert cluster.sampan("up").returncode == 0
        assert cluster.sampan("images", "-o", "json").stdout.count("hello") >= 2

        def runs_again() -> bool:
            status = cluster.get("pod", "sleeper")["status"]["containerStatuses"][0]
            return status["restartCount"] == 1 and "running" in status["state"]

        eventually(runs_again, 20, "the pod runs again")


def test_a_cluster_survives_the_sudden_end_of_all_its_processes(tmp_path: Path) -> None:
    with running_cluster(tmp_path, nodes=2) as cluster:
        build_demo(cluster)
        cluster.apply(POD)
        eventually(lambda: is_ready(cluster.get("pod", "sleeper")), 20, "the pod runs")
        for group in Path("/sys/fs/cgroup").glob(f"*/{cluster.instance.cgroup}/**/cgroup.procs"):
            for line in group.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line), signal.SIGKILL)
        answer = cluster.sampan("up")
        assert answer.returncode == 0, answer.stderr

        def runs_again() -> bool:
            pod = cluster.get("pod", "sleeper")
            return pod["status"]["containerStatuses"][0]["restartCount"] == 1 and is_ready(pod)

        eventually(runs_again, 20, "the pod runs again")


def test_two_instances_do_not_see_each_other(single: Cluster, tmp_path: Path) -> None:
    before = processes(single)
    with running_cluster(tmp_path, nodes=2, namespaces=single.namespaces) as other:
        assert other.get("pods", "-A")["items"] == []
        assert other.sampan("images", "-o", "json").stdout.strip() == "[]"
        assert other.sampan("node", "kill", "node-2").returncode == 0
        assert is_ready(single.get("pod", "sleeper"))
    assert processes(single) == before
    assert single.kubectl("exec", "sleeper", "--", "echo", "here").stdout == "here\n"


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    cluster = Cluster("test-taken", tmp_path, Namespaces())
    try:
        taken = f"socket.create_server(('{cluster.instance.loopback_address}', 6443))"
        squatter = cluster.start(
            "python3",
            "-c",
            f"import socket, time; s = {taken}; print('on', flush=True); time.sleep(60)",
        )
        assert squatter.stdout is not None
        assert squatter.stdout.readline() == "on\n"
        answer = cluster.sampan("up")
        assert (answer.returncode, "server.log" in answer.stderr) == (1, True)
        log = cluster.instance.state_folder / "log" / "server.log"
        assert "address already in use" in log.read_text().lower()
        assert cluster.sampan("down").returncode == 0
        squatter.kill()
        squatter.communicate()
        assert leftovers(cluster) == []
    finally:
        cluster.remove()
