"""`docker build` as a user types it, by either builder."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines import RunningEngine
from harness import ROOT

_PLUGIN_FOLDERS = (
    ROOT / ".cache/bin",  # where `make test` brings it
    Path("/usr/libexec/docker/cli-plugins"),
    Path("/usr/lib/docker/cli-plugins"),
    Path("/usr/local/lib/docker/cli-plugins"),
    Path.home() / ".docker/cli-plugins",
    Path(os.environ.get("DOCKER_CONFIG", "/nonexistent")) / "cli-plugins",
)
# Command lines of old releases don't get along with new plugins.
_FETCHED = ROOT / ".cache/bin/docker"
Build = Callable[..., "subprocess.CompletedProcess[str]"]


def has_buildx() -> bool:
    return _buildx() is not None


def _buildx() -> Path | None:
    found = (folder / "docker-buildx" for folder in _PLUGIN_FOLDERS)
    return next((path for path in found if path.exists()), None)


def docker(
    engine: RunningEngine, *words: str, stdin: bytes = b"", **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Docker's command line beside the engine, with the plugin buildx where there is one."""
    program = _buildx()
    plugins = engine.folder / "cli-plugins"
    if program is not None and not (plugins / program.name).exists():
        plugins.mkdir(exist_ok=True)
        shutil.copy(program, plugins)
    environment: dict[str, Any] = os.environ | {
        "DOCKER_HOST": f"unix://{engine.address}",
        "DOCKER_CONFIG": str(engine.folder),
        "BUILDKIT_PROGRESS": "plain",
        **variables,
    }
    done = subprocess.run(
        engine.namespaces.command(str(_FETCHED) if _FETCHED.exists() else "docker", *words),
        input=stdin,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def builds_of(engine: RunningEngine, builder: str) -> Build:
    """`docker build` by the `classic` builder or by `buildx`."""

    def run(*words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[str]":
        flag = "1" if builder == "buildx" else "0"
        return docker(engine, "build", *words, stdin=stdin, DOCKER_BUILDKIT=flag)

    return run
