"""The container engines that are measured beside one another: Sampan's, Docker's and Podman's.

Each runs in the namespaces this process is in, with folders of its own, answers Docker's API on
a socket, and holds the same image, made of this machine's files. Afterwards nothing is left.
"""

import contextlib
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.cluster import running_cluster
from bench.image_root import gather_root
from bench.measurement import NotMeasured

# A short name would mean another image to each of them.
IMAGE = "localhost/bench:1"
LARGE_FILE = "large"
LARGE_SIZE = 100 << 20
_PATIENCE_SECONDS = 20
# The limits of a container are not above this process's own, whatever those are.
_PODMAN_CONFIGURATION = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
# What runs below sees no hybrid hierarchy, which crun refuses.
WITHOUT_UNIFIED = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"'


class Engine:
    """`command` begins a command line that speaks to it.

    `mark` stands in the command lines of its processes, or in the names of their control groups.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        address: Path,
        mark: str,
    ) -> None:
        self.name = name
        self.command = command
        self.environment = {**os.environ, **environment}
        self.mark = mark
        self._connection = _UnixConnection(address)

    def ask(
        self,
        method: str,
        path: str,
        document: Any = None,
        data: bytes | None = None,
        kind: str = "",
    ) -> bytes:
        """What Docker's API answers. Raises NotMeasured when it refuses."""
        headers = {"Content-Type": kind or "application/json"}
        if document is not None:
            data = json.dumps(document).encode()
        self._connection.request(method, f"/v1.41{path}", data, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        # 304 tells that it is so already.
        if answer.status >= 400:
            said = content.decode(errors="replace")[:300]
            raise NotMeasured(f"{self.name}: {method} {path}: {answer.status} {said}")
        return content

    def run(self, *words: str, stdin: bytes = b"") -> None:
        """A command of its own command line. Raises NotMeasured when it fails."""
        done = subprocess.run(
            [*self.command, *words],
            env=self.environment,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-300:]
            raise NotMeasured(f"{self.name}: {words[0]}: {said}")

    def provide(self, root: bytes) -> None:
        """Make the image of an archive of its files."""
        repository, _, tag = IMAGE.partition(":")
        path = f"/images/create?fromSrc=-&repo={repository}&tag={tag}"
        self.ask("POST", path, data=root, kind="application/x-tar")

    def create(self, *command: str) -> str:
        """The identifier of a new container."""
        wanted = {"Image": IMAGE, "Cmd": list(command)}
        identifier: str = json.loads(self.ask("POST", "/containers/create", wanted))["Id"]
        return identifier

    def start(self, identifier: str) -> None:
        self.ask("POST", f"/containers/{identifier}/start")

    def stop(self, identifier: str) -> None:
        self.ask("POST", f"/containers/{identifier}/stop?t=5")

    def remove(self, identifier: str) -> None:
        self.ask("DELETE", f"/containers/{identifier}?force=1")

    def processes(self) -> list[int]:
        """Its own, and what it has beside each container."""
        found = []
        for process in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if any(self.mark in it.read_text(errors="replace") for it in _words_of(process)):
                    found.append(int(process))
        return found

    def close(self) -> None:
        self._connection.close()


def _words_of(process: str) -> tuple[Path, Path]:
    return Path(f"/proc/{process}/cmdline"), Path(f"/proc/{process}/cgroup")


class _Podman(Engine):
    def provide(self, root: bytes) -> None:
        # Its API gives the image another name than its command line looks for.
        self.run("import", "-", IMAGE, stdin=root)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, address: Path) -> None:
        super().__init__("engine", timeout=60)
        self._address = str(address)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._address)


@contextlib.contextmanager
def root_archive() -> Iterator[bytes]:
    """The image's one layer: a shell, Python, and a large file."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        root = gather_root(Path(name))
        with (root / LARGE_FILE).open("wb") as file:
            for _ in range(LARGE_SIZE >> 20):
                file.write(os.urandom(1 << 20))
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(root, arcname=".")
        yield buffer.getvalue()


@contextlib.contextmanager
def all_engines() -> Iterator[list[Engine]]:
    """Sampan's first, then those that are installed; each has the image."""
    with root_archive() as root, contextlib.ExitStack() as stack:
        engines = [stack.enter_context(_sampan())]
        if shutil.which("dockerd"):
            engines.append(stack.enter_context(_docker()))
        if shutil.which("podman"):
            engines.append(stack.enter_context(_podman()))
        for engine in engines:
            engine.provide(root)
        yield engines


@contextlib.contextmanager
def _sampan() -> Iterator[Engine]:
    with running_cluster(1) as cluster:
        address = cluster.instance.run_folder / "docker.sock"
        engine = Engine(
            "Sampan",
            cluster.command(),
            cluster.environment,
            address,
            f"{cluster.instance.cgroup}/engine",
        )
        with contextlib.closing(engine):
            yield engine


@contextlib.contextmanager
def _docker() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        address = folder / "docker.sock"
        options = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "pid"}
        words = [part for flag, it in options.items() for part in (flag, str(folder / it))]
        daemon = ["dockerd", *words, "--host", f"unix://{address}"]
        environment = {"DOCKER_HOST": f"unix://{address}", "DOCKER_CONFIG": name}
        with _daemon("Docker", daemon, environment, address, folder):
            client = ["/usr/bin/docker"]
            engine = Engine("Docker", client, environment, address, str(folder))
            with contextlib.closing(engine):
                yield engine


def podman_command(folder: Path) -> list[str]:
    """How a command line of Podman begins that keeps everything in a folder."""
    options = {"--root": "root", "--runroot": "run", "--tmpdir": "tmp"}
    words = [part for flag, it in options.items() for part in (flag, str(folder / it))]
    podman = ["unshare", "--mount", "sh", "-c", WITHOUT_UNIFIED, "sh", "podman", *words]
    return [*podman, "--cgroup-manager", "cgroupfs", "--events-backend", "file"]


@contextlib.contextmanager
def _podman() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        address = folder / "podman.sock"
        (folder / "containers.conf").write_text(_PODMAN_CONFIGURATION)
        environment = {"CONTAINERS_CONF": str(folder / "containers.conf"), "HOME": name}
        podman = podman_command(folder)
        service = [*podman, "system", "service", "--time=0", f"unix://{address}"]
        with _daemon("Podman", service, environment, address, folder):
            engine = _Podman("Podman", podman, environment, address, str(folder))
            with contextlib.closing(engine):
                yield engine


@contextlib.contextmanager
def _daemon(
    name: str, command: list[str], environment: Mapping[str, str], address: Path, folder: Path
) -> Iterator[None]:
    """A process that answers at an address, until the block's end."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _listens(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotMeasured(f"{name}: {(folder / 'log').read_text()[-500:]}")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(address: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(address))
    except OSError:
        return False
    return True
