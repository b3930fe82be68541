"""A whole cluster in namespaces of its own, without a route to anywhere, and a search for what
it leaves behind when it is gone."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tests.real.leftovers import instance_name

from sampan.foundation.settings import Instance

ROOT = Path(__file__).parents[2]
KUBECTL_FOLDER = ROOT / ".cache" / "bin"
_T = TypeVar("_T")
_FIRST = "ip link set lo up && echo ready && exec sleep infinity"


class Namespaces:
    """A network without anything but loopback, and mounts of its own, held by one process."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _FIRST],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        self._holder.stdout.close()
        self.process = self._holder.pid

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs a program inside."""
        return ["nsenter", "--target", str(self.process), "--net", "--mount", "--", *arguments]

    def run(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        options = {"text": True, "capture_output": True, "timeout": 120} | options
        return subprocess.run(self.command(*arguments), check=False, **options)

    def members(self) -> set[int]:
        """The processes that live in the network namespace."""
        own = os.stat(f"/proc/{self.process}/ns/net").st_ino
        found = set()
        for process in _processes():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{process}/ns/net").st_ino == own:
                    found.add(process)
        return found - {self.process}

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()


class Cluster:
    """One instance of Sampan with a kubectl that is pointed at it."""

    def __init__(self, name: str, folder: Path, namespaces: Namespaces) -> None:
        self.instance = Instance(name=name)
        self.folder = folder
        self.namespaces = namespaces
        self.environment = os.environ | {
            "HOME": str(folder),
            "KUBECONFIG": str(folder / "kubeconfig"),
            "PYTHONPATH": str(ROOT / "src"),
            "SAMPAN_INSTANCE": name,
        }

    def run(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a program beside the cluster."""
        return self.namespaces.run(*arguments, env=self.environment, **options)

    def start(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        """Start a program beside the cluster; its output is text in pipes."""
        return subprocess.Popen(
            self.namespaces.command(*arguments),
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **options,
        )

    def sampan(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        return self.run(sys.executable, "-m", "sampan", *arguments, **options)

    def kubectl(
        self, *arguments: str, minor: int = 37, **options: Any
    ) -> "subprocess.CompletedProcess[str]":
        return self.run(self.kubectl_program(minor), *arguments, **options)

    def kubectl_program(self, minor: int = 37) -> str:
        return str(KUBECTL_FOLDER / f"kubectl-1.{minor}")

    def get(self, *arguments: str) -> Any:
        """What `kubectl get … -o json` shows; None when that fails."""
        answer = self.kubectl("get", *arguments, "-o", "json")
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def pods(self, selector: str, namespace: str = "default") -> list[Any]:
        """The pods of a selector that are not on their way out."""
        found = self.get("pods", "-n", namespace, "-l", selector)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready_pods(self, selector: str, namespace: str = "default") -> list[Any]:
        return [pod for pod in self.pods(selector, namespace) if is_ready(pod)]

    def apply(self, manifest: str) -> None:
        answer = self.kubectl("apply", "-f", "-", input=manifest)
        assert answer.returncode == 0, answer.stderr

    def fetch(self, url: str, timeout: float = 5) -> str:
        """The body of an answer of 200, with curl's words about it otherwise."""
        answer = self.run("curl", "-sS", "--fail", "--max-time", str(timeout), url)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def remove(self) -> None:
        """Kill what is left in the namespaces, and remove the folders that `down` keeps."""
        for process in self.namespaces.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.namespaces.close()
        self.remove_folders()

    def remove_folders(self) -> None:
        for path in (self.instance.state_folder, self.instance.configuration_folder):
            shutil.rmtree(path, ignore_errors=True)


def is_ready(item: Any) -> bool:
    """Whether a Node's or Pod's condition Ready is True."""
    conditions = item.get("status", {}).get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def eventually(probe: Callable[[], _T], seconds: float, what: str, pause: float = 0.1) -> _T:
    """The first true result of `probe`; fails the test when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {seconds} s: {what} (last: {result!r})"
        time.sleep(pause)


def leftovers(cluster: Cluster) -> list[str]:
    """All that is still there of an instance that has been taken down, in namespaces that it
    had for itself."""
    namespaces = cluster.namespaces
    found = leftovers_by_name(cluster)
    found += [f"process {process} {_command(process)}" for process in namespaces.members()]
    links = json.loads(namespaces.run("ip", "-j", "link").stdout)
    found += [f"interface {link['ifname']}" for link in links if link["ifname"] != "lo"]
    rules = namespaces.run("nft", "list", "ruleset").stdout
    found += [f"rules {rules}"] if rules.strip() else []
    routes = namespaces.run("ip", "route", "show").stdout
    return found + ([f"routes {routes}"] if routes.strip() else [])


def leftovers_by_name(cluster: Cluster) -> list[str]:
    """What bears the name of an instance that has been taken down."""
    instance, namespaces = cluster.instance, cluster.namespaces
    found = [
        f"process {process} {_command(process)}"
        for process in _processes()
        if f"/{instance.cgroup}/" in _text(f"/proc/{process}/cgroup")
    ]
    for process in ("self", str(namespaces.process)):
        mounts = _text(f"/proc/{process}/mountinfo").splitlines()
        found += [f"mount {line}" for line in mounts if f"/{instance.full_name}/" in line]
    links = json.loads(namespaces.run("ip", "-j", "link").stdout)
    prefix = instance.interface("")
    found += [f"interface {link['ifname']}" for link in links if link["ifname"].startswith(prefix)]
    tables = namespaces.run("nft", "list", "tables").stdout.splitlines()
    found += [line for line in tables if line.split()[-1].startswith(instance.packet_table)]
    found += [f"group {path}" for path in Path("/sys/fs/cgroup").glob(f"*/{instance.cgroup}")]
    found += [f"group {path}" for path in Path("/sys/fs/cgroup").glob(instance.cgroup)]
    found += [f"folder {instance.run_folder}"] if instance.run_folder.exists() else []
    return found + [f"file {path}" for path in Path("/run/netns").glob(f"*{instance.name}*")]


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # the process has ended
        return ""


def _command(process: int) -> str:
    return _text(f"/proc/{process}/cmdline").replace("\0", " ")


@contextlib.contextmanager
def running_cluster(
    folder: Path, nodes: int, namespaces: Namespaces | None = None
) -> Iterator[Cluster]:
    """A cluster from `up` to `down`; fails when anything of it is left.

    In `namespaces` of somebody else, only what bears the instance's name is looked for.
    """
    cluster = Cluster(instance_name("test-"), folder, namespaces or Namespaces())
    try:
        try:
            answer = cluster.sampan("up", "--nodes", str(nodes))
            assert answer.returncode == 0, f"{answer.stderr}\n{_logs(cluster)}"
            yield cluster
        finally:
            ended = cluster.sampan("down")
        assert ended.returncode == 0, f"{ended.stderr}\n{_logs(cluster)}"
        assert (leftovers_by_name(cluster) if namespaces else leftovers(cluster)) == []
    finally:
        if namespaces:
            cluster.remove_folders()
        else:
            cluster.remove()


def _logs(cluster: Cluster) -> str:
    """The last words of each process."""
    folder = cluster.instance.state_folder / "log"
    return "\n".join(f"--- {path.name}\n{_text(str(path))[-4000:]}" for path in folder.glob("*"))
