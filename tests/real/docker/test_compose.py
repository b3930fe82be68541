"""`docker compose` with an application of three services: a page, workers and Redis."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import RunningEngine
from harness import ROOT, eventually

COMPOSE = ROOT / ".cache/python/bin/docker-compose"
APPLICATION = Path(__file__).with_name("application")
PAGE = "http://127.0.0.1:8090"
NEEDED = {"docker": "docker", "redis-cli": "redis-tools"}
MISSING = [package for program, package in NEEDED.items() if shutil.which(program) is None]
if not COMPOSE.exists():
    MISSING.append("docker-compose (make clients)")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
]
_GATHER = """
import sys
sys.path.insert(0, sys.argv[1])
import gather
gather.MODULES += " http.server"
gather.COMMANDS += " redis-check-rdb redis-cli"
from pathlib import Path
gather.gather(Path(sys.argv[2]))
"""


class Compose:
    """`docker compose` in the application's folder; a call is the output of what succeeds."""

    def __init__(self, engine: RunningEngine, folder: Path) -> None:
        self._engine = engine
        self._file = str(folder / "compose.yaml")

    def __call__(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return self._engine.command("compose", "--progress", "plain", "-f", self._file, *words)

    def services(self, *words: str) -> dict[str, str]:
        """The names of containers, and the state or health of each."""
        rows = map(json.loads, self("ps", "--format", "json", *words).splitlines())
        return {row["Name"]: row["Health"] or row["State"] for row in rows}

    def fetch(self, path: str) -> str:
        done = self._engine.namespaces.run("curl", "-sS", "--fail", "-m", "5", PAGE + path)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)


@pytest.fixture
def compose(
    sampan: RunningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Compose]:
    """The application's image is built; nothing of it runs, neither before nor afterwards."""
    folder = tmp_path / "application"
    gather = ["/usr/bin/python3", "-I", "-S", "-c", _GATHER, str(ROOT / "examples/hello")]
    subprocess.run([*gather, str(folder)], check=True, timeout=60)
    shutil.copytree(APPLICATION, folder, dirs_exist_ok=True)
    plugins = sampan.folder / "cli-plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "docker-compose").unlink(missing_ok=True)
    (plugins / "docker-compose").symlink_to(COMPOSE)
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    built = sampan.command("build", "-q", "-t", "application", str(folder))
    assert built.returncode == 0, built.stderr
    command = Compose(sampan, folder)
    yield command
    command.run("down", "-v", "-t", "0")
    sampan.command("rmi", "-f", "application")


def test_an_application(compose: Compose, sampan: RunningEngine) -> None:
    compose("up", "-d", "--wait")
    assert compose.services() == {
        "application-store-1": "healthy",
        "application-web-1": "healthy",
        "application-worker-1": "running",
    }
    assert compose.fetch("/") == "hello 1"
    compose.fetch("/order/tea")
    eventually(lambda: compose.fetch("/done") == "tea", 10, "the order is carried out")
    assert "worker-1  | did tea" in compose("logs", "worker").splitlines()
    assert compose("exec", "-T", "store", "redis-cli", "scard", "done") == "1"
    assert compose("port", "web", "8080") == "127.0.0.1:8090"
    assert compose(
        "run", "--rm", "-T", "--no-deps", "worker", "redis-cli", "-h", "store", "ping"
    ) == ("PONG")

    compose("up", "-d", "--scale", "worker=3")
    workers = compose.services("worker")
    assert workers == {f"application-worker-{number}": "running" for number in (1, 2, 3)}
    for number in range(6):
        compose.fetch(f"/order/{number}")
    wanted = "0 1 2 3 4 5 tea"
    eventually(lambda: compose.fetch("/done") == wanted, 10, "all orders are carried out")
    compose("up", "-d", "--scale", "worker=1", "--no-recreate")
    assert list(compose.services("worker")) == ["application-worker-1"]

    compose("stop", "-t", "1", "web")
    assert compose.services("-a", "web") == {"application-web-1": "exited"}
    compose("start", "web")
    eventually(lambda: compose.services("web") == {"application-web-1": "healthy"}, 10, "well")
    compose("restart", "-t", "1", "store")
    eventually(lambda: compose.services("store") == {"application-store-1": "healthy"}, 10, "well")
    assert compose.fetch("/") == "hello 2"
    assert "store" in compose("top", "store")
    assert compose("images", "-q") != ""

    compose("down", "-t", "1")
    assert compose.services("-a") == {}
    compose("up", "-d", "--wait")
    assert compose.fetch("/") == "hello 3"
    compose("down", "-v", "-t", "1")
    left = sampan.command("volume", "ls", "-q", "-f", "label=com.docker.compose.project")
    networks = sampan.command("network", "ls", "-q", "-f", "label=com.docker.compose.project")
    assert (left.stdout, networks.stdout) == ("", "")


def test_what_has_changed_is_made_anew(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    compose("up", "-d", "--wait")
    before = compose("ps", "-q", "web"), compose("ps", "-q", "store")
    monkeypatch.setenv("GREETING", "welcome")
    compose("up", "-d", "--wait")
    after = compose("ps", "-q", "web"), compose("ps", "-q", "store")
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert compose.fetch("/") == "welcome 1"
