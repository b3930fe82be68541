"""A new version under load: no request is lost, from the host or from a pod."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.real.harness import Cluster

pytestmark = pytest.mark.real

LOAD = Path(__file__).with_name("load.py")
SECONDS = 25
BEFORE_THE_UPDATE = 3

LOADER_POD = """
apiVersion: v1
kind: Pod
metadata: {name: loader, namespace: default}
spec:
  containers:
    - name: loader
      image: hello:1
"""


def start_on_host(cluster: Cluster, new: int, kept: int) -> "subprocess.Popen[str]":
    address = str(cluster.instance.loopback_address)
    arguments = ["python3", str(LOAD), address, "30080", str(SECONDS), str(new), str(kept)]
    return cluster.start(*arguments)


def start_in_pod(cluster: Cluster, new: int, kept: int) -> "subprocess.Popen[str]":
    command = ["exec", "-i", "loader", "--", "/usr/bin/python3", "-I", "-S", "-"]
    arguments = [*command, "hello", "80", str(SECONDS), str(new), str(kept)]
    with LOAD.open() as script:
        return cluster.start(cluster.kubectl_program(), *arguments, stdin=script)


def result(process: "subprocess.Popen[str]") -> Any:
    output, _ = process.communicate(timeout=SECONDS + 30)
    return json.loads(output.strip().splitlines()[-1])


def test_a_rolling_update_loses_no_request(hello: Cluster) -> None:
    hello.apply(LOADER_POD)
    hello.kubectl("wait", "pod/loader", "--for=condition=Ready", "--timeout=20s")
    loads = {
        "host": start_on_host(hello, new=200, kept=20),
        "pod": start_in_pod(hello, new=200, kept=20),
    }
    time.sleep(BEFORE_THE_UPDATE)
    changed = hello.kubectl("set", "image", "deployment/hello", "hello=hello:2")
    assert changed.returncode == 0, changed.stderr
    rollout = hello.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    results = {source: result(load) for source, load in loads.items()}
    hello.kubectl("delete", "pod", "loader", "--now")
    assert rollout.returncode == 0, rollout.stdout + rollout.stderr
    assert {source: seen["failures"] for source, seen in results.items()} == {"host": [], "pod": []}
    for seen in results.values():
        assert set(seen["versions"]) == {"1", "2"}
        assert seen["answered"] > SECONDS * 200
