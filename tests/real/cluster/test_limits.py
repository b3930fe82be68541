"""Limits hold: memory, processes, CPU."""

from typing import Any

import pytest
from tests.real.harness import Cluster, eventually

pytestmark = pytest.mark.real

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default}}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: hello:1
      command: ["/usr/bin/python3", "-I", "-S", "-c"]
      args:
        - |
          {program}
      resources: {{limits: {limits}}}
"""

HOG = "x = bytearray(200 * 1024 * 1024)"
BOMB = """import os, time
          forks = 0
          try:
              while forks < 5000:
                  if os.fork() == 0:
                      time.sleep(60)
                  forks += 1
          except OSError as refusal:
              print("refused after", forks, refusal, flush=True)"""
SPIN = """import time
          end = time.monotonic() + 4
          while time.monotonic() < end: pass
          print(time.process_time() / 4, flush=True)"""


def run(cluster: Cluster, name: str, program: str, limits: str) -> Any:
    """The finished pod and its output."""
    cluster.apply(POD.format(name=name, program=program, limits=limits))

    def finished() -> Any:
        pod = cluster.get("pod", name)
        return pod if pod["status"].get("phase") in ("Succeeded", "Failed") else None

    pod = eventually(finished, 30, f"{name} has ended")
    output = cluster.kubectl("logs", name).stdout
    cluster.kubectl("delete", "pod", name, "--now")
    return pod["status"]["containerStatuses"][0]["state"]["terminated"], output


def test_a_memory_hog_is_killed_at_its_limit(cluster: Cluster) -> None:
    ended, _ = run(cluster, "hog", HOG, "{memory: 64Mi}")
    assert ended["reason"] == "OOMKilled"
    assert ended["exitCode"] == 137


def test_a_fork_bomb_meets_its_limit(cluster: Cluster) -> None:
    ended, output = run(cluster, "bomb", BOMB, "{memory: 512Mi}")
    assert ended["exitCode"] == 0
    assert int(output.split()[2]) < 1100


def test_half_a_processor_is_half_a_processor(cluster: Cluster) -> None:
    _, output = run(cluster, "spin", SPIN, "{cpu: 500m}")
    assert 0.3 < float(output) < 0.6
