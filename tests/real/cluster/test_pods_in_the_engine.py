"""The containers of pods as whoever uses the machine's engine sees them, on whichever node."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.real.harness import Cluster, eventually, is_ready

pytestmark = pytest.mark.real

PODS = "\n".join(
    f"""
---
apiVersion: v1
kind: Pod
metadata: {{name: seen-{number}, namespace: default}}
spec:
  nodeName: node-{number}
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: hello:1
      stdin: true
      command: [sh, -c, "echo ready; trap 'exit 7' TERM; while true; do sleep 0.1; done"]
      resources: {{limits: {{memory: 64Mi}}}}
"""
    for number in (1, 2)
)


@pytest.fixture(scope="module")
def seen(cluster: Cluster) -> Iterator[Cluster]:
    """A pod on the machine's own node, and one on a node that is a host of its own."""
    cluster.apply(PODS)
    for number in (1, 2):
        pod = f"seen-{number}"
        eventually(lambda pod=pod: is_ready(cluster.get("pod", pod)), 20, f"{pod} is ready")
    yield cluster
    assert cluster.kubectl("delete", "pod", "seen-1", "seen-2", "--timeout=30s").returncode == 0


def ask(cluster: Cluster, *arguments: str, code: int = 0) -> str:
    answer = cluster.sampan(*arguments)
    assert answer.returncode == code, answer.stderr
    return answer.stdout if code == 0 else answer.stderr


def names(cluster: Cluster, *options: str) -> list[str]:
    return ask(cluster, "ps", "--format", "{{.Names}}", *options).split()


def name_of(cluster: Cluster, number: int) -> str:
    label = f"label=io.kubernetes.pod.name=seen-{number}"
    return eventually(lambda: next(iter(names(cluster, "-f", label)), ""), 10, "it is listed")


def inspected(cluster: Cluster, name: str) -> Any:
    return json.loads(ask(cluster, "inspect", name))[0]


@pytest.mark.parametrize("number", [1, 2])
def test_they_are_shown_as_any_container(seen: Cluster, number: int) -> None:
    name = name_of(seen, number)
    assert name.startswith(f"k8s_main_seen-{number}_default_")
    shown = inspected(seen, name)
    assert shown["State"]["Running"]
    assert shown["HostConfig"]["Memory"] == 64 << 20
    status = Path(f"/proc/{shown['State']['Pid']}/status").read_text()
    # The first process of its own PID namespace.
    assert status.partition("NSpid:")[2].splitlines()[0].split()[-1] == "1"
    assert "sleep 0.1" in ask(seen, "top", name)
    assert name in ask(seen, "stats", "--no-stream", name)
    assert ask(seen, "logs", name) == "ready\n"


@pytest.mark.parametrize("number", [1, 2])
def test_they_are_entered(seen: Cluster, number: int, tmp_path: Path) -> None:
    name = name_of(seen, number)
    assert ask(seen, "exec", name, "hostname") == f"seen-{number}\n"
    ask(seen, "exec", name, "sh", "-c", "exit 3", code=3)
    ask(seen, "exec", name, "sh", "-c", "echo written > /tmp/found")
    assert "A /tmp/found" in ask(seen, "diff", name)
    export = tmp_path / "root.tar"
    ask(seen, "export", "-o", str(export), name)
    unpacked = subprocess.run(
        ["tar", "-xOf", str(export), "tmp/found"], check=True, capture_output=True, timeout=20
    )
    assert unpacked.stdout == b"written\n"


def test_what_they_are_is_for_their_node(seen: Cluster) -> None:
    name = name_of(seen, 2)
    for command in (("rm", "-f", name), ("rename", name, "other"), ("start", name)):
        assert "belongs to node-2" in ask(seen, *command, code=1)
    assert name in names(seen)
    ask(seen, "container", "prune", "-f")
    assert name in names(seen)


def test_what_is_stopped_comes_up_again(seen: Cluster) -> None:
    name = name_of(seen, 1)
    ask(seen, "stop", name)
    assert inspected(seen, name)["State"]["ExitCode"] == 7
    following = f"{name.removesuffix('_0')}_1"
    eventually(lambda: following in names(seen), 10, "its node has started it again")


def test_they_are_seen_again_by_another_process_of_the_engine(seen: Cluster) -> None:
    before = sorted(names(seen))
    status = json.loads(ask(seen, "status", "-o", "json"))
    (engine,) = (it["process"] for it in status["processes"] if it["role"] == "engine")
    os.kill(engine, signal.SIGKILL)
    listing = ("ps", "--format", "{{.Names}}")
    eventually(
        lambda: sorted(seen.sampan(*listing).stdout.split()) == before, 20, "all of them are listed"
    )
