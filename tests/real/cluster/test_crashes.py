"""`kill -9` of the server and of an agent: nothing acknowledged is lost, containers run on."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.real.harness import Cluster, eventually, is_ready

pytestmark = pytest.mark.real

CREATES = """
i=0
while true; do
    i=$((i+1))
    "$0" -n writes create configmap "made-$i" --from-literal=n=$i >/dev/null 2>&1 && echo "made-$i"
done
"""


def processes(cluster: Cluster) -> dict[str, int]:
    found = json.loads(cluster.sampan("status", "-o", "json").stdout)["processes"]
    return {item["role"]: item["process"] for item in found}


def containers(cluster: Cluster) -> dict[str, str]:
    """Each pod's container and how often it was restarted."""
    return {
        pod["metadata"]["name"]: json.dumps(
            [
                (status["containerID"], status["restartCount"])
                for status in pod["status"]["containerStatuses"]
            ]
        )
        for pod in cluster.pods("app=hello")
    }


def workload_processes(cluster: Cluster) -> set[int]:
    """The processes of all pods, as the machine numbers them."""
    found = set()
    for group in Path("/sys/fs/cgroup").glob(
        f"**/{cluster.instance.cgroup}/node-*/pods/**/*.procs"
    ):
        found |= {int(line) for line in group.read_text().split()}
    return found


def agents(cluster: Cluster, node: str) -> list[int]:
    """The agent of a node: the child of its holder that has the holder's command line."""
    holder = processes(cluster)[node]
    children = Path(f"/proc/{holder}/task/{holder}/children").read_text().split()
    return [int(child) for child in children if _name(int(child)) == "sampan-agent"]


def _name(process: int) -> str:
    return Path(f"/proc/{process}/comm").read_text().strip()


def test_the_server_is_killed_amid_creates(hello: Cluster) -> None:
    before, alive = containers(hello), workload_processes(hello)
    assert hello.kubectl("create", "namespace", "writes").returncode == 0
    writer = hello.start("sh", "-c", CREATES, hello.kubectl_program())
    time.sleep(3)
    server = processes(hello)["server"]
    os.kill(server, signal.SIGKILL)
    killed = time.monotonic()
    ready = ("get", "--raw", "/readyz")
    eventually(lambda: hello.kubectl(*ready).returncode == 0, 10, "the API answers again", 0.05)
    took = time.monotonic() - killed
    time.sleep(2)
    writer.terminate()
    acknowledged = set(_output(writer))
    names = {item["metadata"]["name"] for item in hello.get("configmaps", "-n", "writes")["items"]}
    hello.kubectl("delete", "namespace", "writes")
    assert len(acknowledged) > 10
    assert acknowledged - names == set()
    assert took <= 3
    assert processes(hello)["server"] != server
    assert containers(hello) == before
    assert workload_processes(hello) == alive


def _output(process: "subprocess.Popen[str]") -> list[str]:
    output, _ = process.communicate(timeout=10)
    return [line for line in output.splitlines() if line.startswith("made-")]


@pytest.mark.parametrize("node", ["node-1", "node-2"])
def test_an_agent_is_killed(hello: Cluster, node: str) -> None:
    before, alive = containers(hello), workload_processes(hello)
    (agent,) = agents(hello, node)
    os.kill(agent, signal.SIGKILL)

    def another() -> Any:
        found = agents(hello, node)
        return found and found != [agent]

    eventually(another, 10, "another agent")
    time.sleep(6)
    assert is_ready(hello.get("node", node))
    assert containers(hello) == before
    assert workload_processes(hello) == alive
    assert len(hello.ready_pods("app=hello")) == 3


def test_the_supervisor_is_killed_and_another_adopts(hello: Cluster) -> None:
    status = json.loads(hello.sampan("status", "-o", "json").stdout)
    before = processes(hello)
    os.kill(status["supervisor"], signal.SIGKILL)
    assert hello.sampan("up", "--nodes", "3").returncode == 0
    assert processes(hello) == before
