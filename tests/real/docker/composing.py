"""`docker compose`, as applications that a test starts use it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines import RunningEngine
from harness import ROOT

COMPOSE = ROOT / ".cache/python/bin/docker-compose"
APPLICATIONS = Path(__file__).with_name("applications")


class Compose:
    """`docker compose` in the application's folder; a call is the output of what succeeds."""

    def __init__(self, engine: RunningEngine, folder: Path, page: str) -> None:
        self._engine = engine
        self._file = str(folder / "compose.yaml")
        self._page = page

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
        done = self._engine.namespaces.run("curl", "-sS", "--fail", "-m", "5", self._page + path)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)


@contextmanager
def application(engine: RunningEngine, name: str, folder: Path, page: str) -> Iterator[Compose]:
    """An application that is built in `folder`; nothing of it runs, neither before nor after."""
    shutil.copytree(APPLICATIONS / name, folder)
    plugins = engine.folder / "cli-plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "docker-compose").unlink(missing_ok=True)
    (plugins / "docker-compose").symlink_to(COMPOSE)
    compose = Compose(engine, folder, page)
    compose("build", "--quiet")
    try:
        yield compose
    finally:
        compose.run("down", "-v", "--rmi", "local", "-t", "0")
