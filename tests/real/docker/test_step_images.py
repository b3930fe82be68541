"""The images that the classic builder's steps leave; a build that is ended leaves none."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from docker_build import Build, builds_of
from engines import IMAGE, RunningEngine, Sampan

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def sampan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """One of which all images are known."""
    with Sampan(tmp_path_factory.mktemp("steps")) as engine:
        yield engine


@pytest.fixture
def build(sampan: RunningEngine) -> Build:
    return builds_of(sampan, "classic")


def listed(sampan: RunningEngine, *words: str) -> list[str]:
    done = sampan.command(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def images(sampan: RunningEngine, *words: str) -> set[str]:
    return set(listed(sampan, "images", "--quiet", "--no-trunc", *words))


def dockerfile(folder: Path, text: str) -> str:
    (folder / "Dockerfile").write_text(f"FROM {IMAGE}\n{text}")
    return str(folder)


def test_each_step_leaves_an_image(sampan: RunningEngine, build: Build, tmp_path: Path) -> None:
    before = images(sampan, "--all")
    context = dockerfile(tmp_path, "RUN echo 1 > /one\nENV A=b\nRUN echo 2 > /two\nCMD cat /two\n")
    assert build("-t", "stepped", context).returncode == 0
    history = listed(sampan, "history", "--quiet", "--no-trunc", "stepped")
    built, *steps, base = history
    assert len(set(history)) == 5
    assert images(sampan, "--all") - before == {built, *steps}
    assert images(sampan) - before == {built}
    assert images(sampan, "--filter", "dangling=true") == set()
    for image, parent in pairwise(history):
        shown = listed(sampan, "image", "inspect", "--format", "{{.Parent}}", image)
        assert shown == [parent]
    looked = sampan.command("run", "--rm", "--network", "none", steps[1], "sh", "-c", "ls / && env")
    assert "one" in looked.stdout.split()
    assert "two" not in looked.stdout.split()
    assert "A=b" in looked.stdout.split()
    refused = sampan.command("rmi", steps[0])
    assert "image has dependent child images" in refused.stderr

    again = build("-t", "stepped", context)
    assert again.stdout.count("Using cache") == 4
    assert images(sampan, "--all") - before == {built, *steps}

    gone = sampan.command("rmi", "stepped")
    assert gone.stdout.count("Deleted: sha256:") >= 4
    assert images(sampan, "--all") == before
    assert base in before


def test_what_was_made_before_a_failure_can_be_looked_into(
    sampan: RunningEngine, build: Build, tmp_path: Path
) -> None:
    before = images(sampan, "--all")
    context = dockerfile(tmp_path, "RUN echo 1 > /made\nLABEL a=b\nRUN exit 3\n")
    done = build(context)
    assert done.returncode == 3
    assert len(images(sampan, "--all") - before) == 2
    (last,) = images(sampan, "--filter", "dangling=true")
    assert last[7:19] in done.stdout
    looked = sampan.command("run", "--rm", "--network", "none", last, "cat", "/made")
    assert looked.stdout == "1\n"
    assert sampan.command("image", "prune", "--force").returncode == 0
    assert images(sampan, "--all") == before


def test_a_build_that_is_ended_leaves_nothing(
    sampan: RunningEngine, build: Build, tmp_path: Path
) -> None:
    before = images(sampan, "--all")
    context = dockerfile(tmp_path, "RUN echo 1 > /early\nRUN echo waits; exec sleep 60\n")
    client = subprocess.Popen(
        ["docker", "build", "--no-cache", context],
        env=sampan.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert client.stdout is not None
    for line in client.stdout:
        if line.startswith("waits"):
            break
    client.send_signal(signal.SIGINT)
    client.wait(20)
    client.stdout.close()
    assert isinstance(sampan, Sampan)
    folders = (
        sampan.instance.run_folder / "builds/bundles",
        sampan.instance.state_folder / "images/builds",
    )
    deadline = time.monotonic() + 10
    while any(os.listdir(folder) for folder in folders):
        assert time.monotonic() < deadline, [os.listdir(folder) for folder in folders]
        time.sleep(0.05)
    assert images(sampan, "--all") == before
    assert listed(sampan, "ps", "--all", "--quiet") == []
