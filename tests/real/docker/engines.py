"""Engines in network and mount namespaces of their own, and a plain HTTP client to ask them."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from gathering import root_layer
from harness import ROOT, Namespaces
from tests.real.leftovers import instance_name

from sampan.foundation.settings import Instance
from sampan.host.cgroups import control_groups

SERVE = """
import asyncio, signal, sys, uvloop
from sampan.daemon.engine_facts import engine_facts
from sampan.daemon.engine_process import serve_engine
from sampan.foundation.settings import Instance
from sampan.host.cgroups import control_groups
from sampan.host import cgroups, mounts
async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    instance = Instance(name=sys.argv[1])
    await serve_engine(instance, engine_facts(instance, cgroups.control_groups()), stop)
mounts.stop_propagation()
mounts.hide_unified_hierarchy()
uvloop.install()
asyncio.run(main())
"""
PATIENCE_SECONDS = 20
IMAGE = "machine"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=30)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Answer:
    """A status, and a body as JSON where it is."""

    def __init__(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data

    @property
    def tree(self) -> Any:
        return json.loads(self.data)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.data.splitlines() if line]


class RunningEngine:
    """`address` is its socket; in the block of `with` it runs. Everything is gone after it."""

    def __init__(
        self, folder: Path, address: Path, environment: dict[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.address = address
        self._environment = environment or {}
        self.namespaces = Namespaces()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "RunningEngine":
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        self._start()
        self.provide_image()

    def _start(self) -> None:
        with (self.folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                self.namespaces.command(*self.program()),
                env=os.environ | {"PYTHONPATH": str(ROOT / "src")} | self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            told = (self.folder / "log").read_text()[-2000:]
            assert self._process.poll() is None, told
            assert time.monotonic() < deadline, told
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            for container in self.ask("GET", "/v1.41/containers/json?all=1").tree:
                self.ask("DELETE", f"/v1.41/containers/{container['Id']}?force=1")
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_SECONDS)
        self._leave_namespaces()
        self.clean()

    def _leave_namespaces(self) -> None:
        for process in self.namespaces.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, 9)
        self.namespaces.close()

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/_ping").status == 200
        except OSError:
            return False

    def provide_image(self) -> None:
        imported = self.ask(
            "POST",
            f"/v1.41/images/create?fromSrc=-&repo={IMAGE}&tag=latest&changes=CMD%20%5B%22sh%22%5D",
            data=root_layer(),
        )
        assert imported.status == 200, imported.data

    def program(self) -> list[str]:
        raise NotImplementedError

    def clean(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, method: str, path: str, body: Any = None, data: bytes | None = None) -> Answer:
        connection = _UnixConnection(self.address)
        headers = {}
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def environment(self) -> dict[str, str]:
        """What points Docker's command line at this engine."""
        return os.environ | {
            "DOCKER_HOST": f"unix://{self.address}",
            "DOCKER_CONFIG": str(self.folder),
            "DOCKER_BUILDKIT": "0",
        }

    def command(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        command = ["docker", *words]
        return subprocess.run(
            command,
            input=stdin,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


class Sampan(RunningEngine):
    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.instance = Instance(name=instance_name("d"))
        super().__init__(folder, self.instance.run_folder / "docker.sock", environment)

    def program(self) -> list[str]:
        return [sys.executable, "-c", SERVE, self.instance.name]

    def reboot(self) -> None:
        """What a power cut and a start of the machine are to the engine: no process, mount,
        interface, packet rule or control group is left, nor what was kept in memory; the kernel
        calls this start by another name."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._end_groups()
        self._leave_namespaces()
        shutil.rmtree(self.instance.run_folder)
        self.namespaces = Namespaces()
        boot = self.folder / "boot_id"
        boot.write_text(f"{uuid.uuid4()}\n")
        bound = self.namespaces.run("mount", "--bind", str(boot), "/proc/sys/kernel/random/boot_id")
        assert bound.returncode == 0, bound.stderr
        self._start()

    def _end_groups(self) -> None:
        groups = control_groups()
        groups.kill_all(self.instance.cgroup)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while groups.processes(self.instance.cgroup) and time.monotonic() < deadline:
            time.sleep(0.02)
        groups.remove(self.instance.cgroup)

    def clean(self) -> None:
        super().clean()
        self._end_groups()
        for folder in (self.instance.state_folder, self.instance.run_folder):
            shutil.rmtree(folder, ignore_errors=True)


class Docker(RunningEngine):
    def __init__(self, folder: Path) -> None:
        # The address of a Unix socket holds 107 bytes.
        super().__init__(folder, Path(f"/run/docker-compared-{os.getpid()}.sock"))

    def program(self) -> list[str]:
        words = {
            "--data-root": "data",
            "--exec-root": "exec",
            "--pidfile": "pid",
        }
        options = [part for flag, name in words.items() for part in (flag, str(self.folder / name))]
        return ["dockerd", *options, "--host", f"unix://{self.address}"]

    def clean(self) -> None:
        super().clean()
        self.address.unlink(missing_ok=True)
