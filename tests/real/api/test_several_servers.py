"""Two servers in processes of their own on one etcd cluster, and one of them killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.real.harness import Cluster, Namespaces, eventually
from tests.store.etcd_process import require_etcd

pytestmark = pytest.mark.real

# What a lease's default times allow.
TAKE_OVER_SECONDS = 15.0
PORT = "2379"
URL = f"http://127.0.0.1:{PORT}"
COMPONENTS = ("kube-controller-manager", "kube-scheduler")


class ServerProcess:
    """`sampan server` of an instance, beside others in one network."""

    def __init__(self, name: str, folder: Path, namespaces: Namespaces) -> None:
        folder.mkdir()
        self.cluster = Cluster(name, folder, namespaces)
        self._log = (folder / "log").open("w")
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        options = ("--datastore", f"etcd://127.0.0.1:{PORT}?prefix=/shared")
        command = (sys.executable, "-m", "sampan", "server", *options)
        self.process = subprocess.Popen(
            self.cluster.namespaces.command(*command),
            env=self.cluster.environment,
            text=True,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.cluster.environment["KUBECONFIG"] = str(self.cluster.instance.kubeconfig)
        eventually(self.answers, 30, f"{self.cluster.instance.name} answers")

    def answers(self) -> bool:
        return self.cluster.kubectl("get", "--raw", "/readyz").returncode == 0

    def holders(self) -> dict[str, str]:
        """Who holds each lease, as this server tells."""
        leases = self.cluster.get("leases", "-n", "kube-system")["items"]
        found = {it["metadata"]["name"]: it["spec"].get("holderIdentity", "") for it in leases}
        return {name: found.get(name, "") for name in COMPONENTS}

    def end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None

    def remove(self) -> None:
        self.end(signal.SIGKILL)
        self._log.close()
        self.cluster.remove_folders()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    program = require_etcd()
    namespaces = Namespaces()
    command = [program, "--data-dir", str(tmp_path / "etcd"), "--log-level", "error"]
    command += ["--listen-client-urls", URL, "--advertise-client-urls", URL]
    etcd = subprocess.Popen(namespaces.command(*command))
    pair = tuple(ServerProcess(f"lead-{it}", tmp_path / it, namespaces) for it in ("one", "two"))
    try:
        yield pair
    finally:
        for server in pair:
            server.remove()
        etcd.kill()
        etcd.wait()
        namespaces.close()


def names_of(found: dict[str, Any]) -> list[str]:
    return [it["metadata"]["name"] for it in found["items"]]


def test_when_the_active_server_is_killed_the_other_is_active_within_15_seconds(
    servers: tuple[ServerProcess, ServerProcess],
) -> None:
    first, second = servers
    first.start()
    eventually(lambda: all(first.holders().values()), 10, "the first server leads")
    second.start()
    before = second.holders()
    first.end(signal.SIGKILL)
    killed = time.monotonic()
    image = ("--image", "hello:1")
    assert second.cluster.kubectl("create", "deployment", "web", *image).returncode == 0

    def taken_over() -> bool:
        now = second.holders()
        return all(now[name] not in ("", before[name]) for name in COMPONENTS)

    eventually(taken_over, TAKE_OVER_SECONDS, "the second server leads")
    left = TAKE_OVER_SECONDS - (time.monotonic() - killed)
    eventually(lambda: names_of(second.cluster.get("pods")), left, "the deployment has its pod")


def test_a_server_that_ends_hands_over_at_once(
    servers: tuple[ServerProcess, ServerProcess],
) -> None:
    first, second = servers
    first.start()
    eventually(lambda: all(first.holders().values()), 10, "the first server leads")
    second.start()
    before = second.holders()
    first.end(signal.SIGTERM)

    def taken_over() -> bool:
        now = second.holders()
        return all(now[name] not in ("", before[name]) for name in COMPONENTS)

    eventually(taken_over, 6, "the second server leads")
