"""Two engines that real clients are pointed at: ours, and Docker's own where it is installed."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "engine")]

# The newer of Docker's command lines goes before that of the machine's release, but not before
# one that somebody has installed here by hand.
_NEWER = HERE.parents[2] / ".cache" / "bin"
_PLACES = os.environ["PATH"].split(":")
_PLACES.insert(next((i for i, it in enumerate(_PLACES) if it == "/usr/bin"), 0), str(_NEWER))
os.environ["PATH"] = ":".join(_PLACES)

from engines import Docker, RunningEngine, Sampan  # noqa: E402
from tests.images.build import provide  # noqa: E402
from tests.images.packages import Unavailable  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    programs = ("/usr/bin/crun", "/usr/bin/conmon")
    if os.geteuid() == 0 and all(Path(path).exists() for path in programs):
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs root, crun and conmon"))


@pytest.fixture(scope="session")
def sampan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """Our engine, alone in namespaces of its own."""
    with Sampan(tmp_path_factory.mktemp("sampan")) as engine:
        yield engine


@pytest.fixture(scope="session")
def images(sampan: RunningEngine) -> None:
    """Images of Debian, Python, nginx, Redis and PostgreSQL in our engine."""

    def command(*words: str) -> None:
        done = sampan.command(*words)
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr}"

    try:
        provide(command)
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def unused_sampan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """Our engine, which no other module uses: what it lists is what this one has made."""
    with Sampan(tmp_path_factory.mktemp("unused")) as engine:
        yield engine


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """Docker's engine, alone in namespaces of its own, which no other module uses."""
    if shutil.which("dockerd") is None:
        pytest.skip("needs Docker's engine (Debian's package docker.io) to compare with")
    with Docker(tmp_path_factory.mktemp("docker")) as engine:
        yield engine
