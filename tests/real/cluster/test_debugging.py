"""`kubectl debug`: a container that is added to a pod that runs, and looks into it."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.real.harness import Cluster, eventually, is_ready

pytestmark = pytest.mark.real

POD = """
apiVersion: v1
kind: Pod
metadata: {name: broken, namespace: debugging}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: hello:1
      command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 0.1; done # the broken one"]
"""
LOOK = "cat /proc/1/cmdline; echo; hostname; echo inspected"
LINGER = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


@pytest.fixture(scope="module")
def debugged(cluster: Cluster) -> Iterator[Cluster]:
    """A namespace with a pod to be looked into."""
    assert cluster.kubectl("create", "namespace", "debugging").returncode == 0
    cluster.apply(POD)
    eventually(lambda: is_ready(cluster.get("pod", "broken", "-n", "debugging")), 20, "it is ready")
    yield cluster
    assert cluster.kubectl("delete", "namespace", "debugging", "--timeout=30s").returncode == 0


def debug(cluster: Cluster, name: str, script: str, *options: str) -> None:
    command = ("debug", "broken", "-n", "debugging", "--image=hello:1", f"--container={name}")
    answer = cluster.kubectl(*command, *options, "--", "sh", "-c", script)
    assert answer.returncode == 0, answer.stderr


def state(cluster: Cluster, name: str, wanted: str) -> Any:
    """What the status says of an added container, once that is what it is."""

    def found() -> Any:
        status = cluster.get("pod", "broken", "-n", "debugging")["status"]
        added = {it["name"]: it["state"] for it in status.get("ephemeralContainerStatuses", [])}
        return added.get(name, {}).get(wanted)

    return eventually(found, 20, f"{name} is {wanted}")


def said(cluster: Cluster, *arguments: str) -> str:
    answer = cluster.kubectl("-n", "debugging", *arguments)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_it_sees_the_processes_of_its_target(debugged: Cluster) -> None:
    debug(debugged, "look", LOOK, "--target=main", "--profile=general")
    assert state(debugged, "look", "terminated")["exitCode"] == 0
    shown = said(debugged, "logs", "broken", "-c", "look").splitlines()
    assert "the broken one" in shown[0]
    assert shown[1:] == ["broken", "inspected"]


def test_without_a_target_it_is_alone(debugged: Cluster) -> None:
    debug(debugged, "alone", LOOK, "--profile=general")
    state(debugged, "alone", "terminated")
    assert "the broken one" not in said(debugged, "logs", "broken", "-c", "alone")


def test_one_talks_to_it(debugged: Cluster) -> None:
    command = ("debug", "broken", "-n", "debugging", "--image=hello:1", "-i", "-q")
    answer = debugged.kubectl(
        *command, "--", "sh", "-c", "read line; echo heard $line", input="me\n"
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "heard me\n"


def test_commands_are_run_in_it_and_it_ends_with_its_pod(debugged: Cluster) -> None:
    debug(debugged, "linger", LINGER, "--target=main")
    state(debugged, "linger", "running")
    assert said(debugged, "exec", "broken", "-c", "linger", "--", "echo", "in it") == "in it\n"
    pod = debugged.get("pod", "broken", "-n", "debugging")
    (main,) = pod["status"]["containerStatuses"]
    assert (main["restartCount"], main["ready"]) == (0, True)
    answer = debugged.kubectl("delete", "pod", "broken", "-n", "debugging", "--timeout=20s")
    assert answer.returncode == 0, answer.stderr
