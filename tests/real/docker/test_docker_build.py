"""`docker build` against our engine: by the classic builder, and by buildx where it is there."""

import os
from pathlib import Path

import pytest
from docker_build import Build, builds_of, has_buildx
from engines import IMAGE, RunningEngine

pytestmark = pytest.mark.real


@pytest.fixture(params=["classic", "buildx"])
def build(request: pytest.FixtureRequest, sampan: RunningEngine) -> Build:
    """`docker build` with further words, by either builder."""
    if request.param == "buildx" and not has_buildx():
        pytest.skip("needs the plugin docker-buildx")
    return builds_of(sampan, request.param)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/file").write_text("content\n")
    (folder / "big").write_bytes(os.urandom(3 << 20))
    (folder / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "left-out.log").write_text("log")
    os.symlink("sub/file", folder / "link")
    (folder / ".dockerignore").write_text("*.log\n")
    (folder / "Dockerfile").write_text(
        f"FROM {IMAGE} AS one\nARG WHO=nobody\nRUN echo hello $WHO > /hello\n"
        f"FROM {IMAGE}\nWORKDIR /app\nCOPY . .\nCOPY --from=one /hello /\n"
        "RUN echo told && ./run.sh && cat link && test ! -e left-out.log\nCMD cat /hello\n"
    )
    return folder


def test_an_image_is_built_and_runs(sampan: RunningEngine, build: Build, context: Path) -> None:
    done = build(
        "--no-cache",
        "-t",
        "made:1",
        "-t",
        "made:2",
        "--build-arg",
        "WHO=sea",
        "--label",
        "a=b",
        str(context),
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "told" in said
    assert "content" in said
    ran = sampan.command("run", "--rm", "--network", "none", "made:2")
    assert (ran.returncode, ran.stdout) == (0, "hello sea\n"), ran.stderr
    sizes = sampan.command(
        "run", "--rm", "--network", "none", "made:1", "sh", "-c", "ls -ln big link; ls"
    )
    assert str(3 << 20) in sizes.stdout
    assert "link -> sub/file" in sizes.stdout
    assert "left-out" not in sizes.stdout
    shown = sampan.command("image", "inspect", "-f", '{{index .Config.Labels "a"}}', "made:1")
    assert shown.stdout == "b\n"
    again = build("-t", "made:1", "--build-arg", "WHO=sea", str(context))
    assert "CACHED" in again.stderr or "Using cache" in again.stdout


def test_only_an_identifier_is_told_when_asked(build: Build, context: Path) -> None:
    done = build("-q", "--target", "one", str(context))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sha256:")
    assert len(done.stdout.strip()) == 71


def test_what_fails_is_told_with_the_code(build: Build, context: Path) -> None:
    (context / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo out; echo wrong >&2; exit 7\n")
    done = build(str(context))
    assert done.returncode in (1, 7)
    said = done.stdout + done.stderr
    assert "wrong" in said
    assert "returned a non-zero code: 7" in said
    (context / "Dockerfile").write_text(f"FROM {IMAGE}\nFOO bar\n")
    done = build(str(context))
    assert done.returncode == 1
    assert "dockerfile parse error on line 2: unknown instruction: FOO" in done.stdout + done.stderr


def test_a_dockerfile_from_standard_input(build: Build, context: Path) -> None:
    text = f"FROM {IMAGE}\nCOPY sub/file /f\nRUN cat /f\n"
    done = build("--no-cache", "-f", "-", str(context), stdin=text.encode())
    assert done.returncode == 0, done.stderr
    assert "content" in done.stdout + done.stderr
    done = build("--no-cache", "-", stdin=f"FROM {IMAGE}\nRUN echo alone\n".encode())
    assert done.returncode == 0, done.stderr
    assert "alone" in done.stdout + done.stderr


def test_mounts(build: Build, context: Path) -> None:
    (context / "Dockerfile").write_text(
        f"FROM {IMAGE}\nRUN --mount=type=bind,target=/c --mount=type=cache,target=/k "
        "cat /c/sub/file > /k/kept && cat /k/kept\n"
    )
    done = build("--no-cache", str(context))
    assert done.returncode == 0, done.stderr
    assert "content" in done.stdout + done.stderr


@pytest.mark.parametrize("build", ["buildx"], indirect=True)
def test_secrets_come_through_the_session(build: Build, context: Path) -> None:
    (context / "Dockerfile").write_text(
        f"FROM {IMAGE}\nRUN --mount=type=secret,id=key,required cat /run/secrets/key\n"
    )
    (context.parent / "key").write_text("hidden-value\n")
    done = build("--no-cache", "--secret", f"id=key,src={context.parent}/key", str(context))
    assert done.returncode == 0, done.stderr
    assert "hidden-value" in done.stdout + done.stderr
    done = build("--no-cache", str(context))
    assert done.returncode == 1
    assert "secret key: not found" in done.stdout + done.stderr
