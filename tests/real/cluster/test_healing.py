"""What is killed comes back: a container, a pod, a node."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.real.harness import Cluster, eventually, is_ready

pytestmark = pytest.mark.real


def restarts(pod: Any) -> int:
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def container_process(cluster: Cluster, pod: Any) -> int:
    """The process of a pod's container, as the machine numbers it."""
    identifier = pod["status"]["containerStatuses"][0]["containerID"].partition("://")[2]
    group = f"{cluster.instance.cgroup}/{pod['spec']['nodeName']}"
    for entry in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            text = entry.read_text()
        except OSError:  # it has ended
            continue
        if group in text and identifier in text:
            return int(entry.parent.name)
    raise AssertionError(f"no process of {pod['metadata']['name']}")


def test_a_killed_container_runs_again_within_a_second(hello: Cluster) -> None:
    pod = hello.ready_pods("app=hello")[0]
    name = pod["metadata"]["name"]
    os.kill(container_process(hello, pod), signal.SIGKILL)
    killed = time.time()

    def runs_again() -> Any:
        found = hello.get("pod", name)
        return found if restarts(found) == 1 and is_ready(found) else None

    status = eventually(runs_again, 10, "the container runs again")["status"]
    started = status["containerStatuses"][0]["state"]["running"]["startedAt"]
    began = time.mktime(time.strptime(started, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert began - killed <= 1


def test_a_deleted_pod_is_replaced(hello: Cluster) -> None:
    victim = hello.ready_pods("app=hello")[0]["metadata"]["name"]
    assert hello.kubectl("delete", "pod", victim, "--wait=false").returncode == 0

    def replaced() -> bool:
        names = {pod["metadata"]["name"] for pod in hello.ready_pods("app=hello")}
        return len(names) == 3 and victim not in names

    eventually(replaced, 15, "three ready pods without the deleted one")


def test_node_1_is_not_killed(cluster: Cluster) -> None:
    answer = cluster.sampan("node", "kill", "node-1")
    assert answer.returncode == 1
    assert "machine itself" in answer.stderr


class Requests:
    """Asks the application ten times a second, and remembers when that failed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._ending = threading.Event()
        self.failed_at: list[float] = []
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        address = f"http://{self._cluster.instance.loopback_address}:30080/"
        while not self._ending.wait(0.1):
            answer = self._cluster.run("curl", "-sf", "-o", "/dev/null", "-m", "1", address)
            if answer.returncode != 0:
                self.failed_at.append(time.monotonic())

    def end(self) -> None:
        self._ending.set()
        self._thread.join()


def test_a_killed_node_is_survived_and_comes_back_without_doubles(hello: Cluster) -> None:
    requests = Requests(hello)
    killed = time.monotonic()
    try:
        assert hello.sampan("node", "kill", "node-2").returncode == 0

        def healed() -> bool:
            nodes = [pod["spec"]["nodeName"] for pod in hello.ready_pods("app=hello")]
            return len(nodes) == 3 and "node-2" not in nodes

        eventually(healed, 20, "three ready pods on the other nodes")
        time.sleep(3)
    finally:
        requests.end()
    assert all(moment - killed <= 10 for moment in requests.failed_at)
    assert hello.sampan("node", "start", "node-2").returncode == 0

    def back() -> bool:
        return is_ready(hello.get("node", "node-2"))

    eventually(back, 20, "node-2 is ready again")

    def three_pods() -> bool:
        found = hello.get("pods", "-l", "app=hello")["items"]
        return len(found) == 3 and all(is_ready(pod) for pod in found)

    eventually(three_pods, 30, "three pods, no more")


def test_a_stopped_node_can_be_started_again(cluster: Cluster) -> None:
    assert cluster.sampan("node", "stop", "node-3").returncode == 0
    assert "Stopped" in cluster.sampan("node", "list").stdout
    assert cluster.sampan("node", "start", "node-3").returncode == 0
    eventually(lambda: is_ready(cluster.get("node", "node-3")), 20, "node-3 is ready again")
