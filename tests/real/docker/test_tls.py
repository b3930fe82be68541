"""Docker's command line over TCP and mutual TLS."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from engines import RunningEngine, Sampan

from sampan.daemon.docker_face import ADDRESS_VARIABLE, FOLDER_VARIABLE
from sampan.foundation.pki.cluster import prepare
from sampan.foundation.settings import Instance

pytestmark = pytest.mark.real

ADDRESS = "127.0.0.1:2376"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `server` and `client` with what `--tlsverify` asks for."""
    folder = tmp_path_factory.mktemp("tls")
    made = prepare(folder / "pki", Instance(), datetime.now(UTC))
    for name, pair in (("server", made.api_server), ("client", made.administrator)):
        (folder / name).mkdir()
        shutil.copy(pair.certificate, folder / name / "cert.pem")
        shutil.copy(pair.key, folder / name / "key.pem")
        shutil.copy(made.authority, folder / name / "ca.pem")
    return folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Iterator[RunningEngine]:
    environment = {ADDRESS_VARIABLE: ADDRESS, FOLDER_VARIABLE: str(keys / "server")}
    with Sampan(tmp_path_factory.mktemp("engine"), environment) as engine:
        yield engine


def docker(
    engine: RunningEngine, keys: Path, *words: str, stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    options = ("--host", f"tcp://{ADDRESS}", "--tlsverify", "--config", str(engine.folder))
    command = engine.namespaces.command("docker", *options, *words)
    return subprocess.run(
        command,
        input=stdin,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DOCKER_CERT_PATH": str(keys / "client")},
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_an_input_that_ends_is_answered(engine: RunningEngine, keys: Path) -> None:
    script = "cat; echo told >&2; exit 3"
    done = docker(engine, keys, "run", "--rm", "-i", "machine", "sh", "-c", script, stdin=b"said")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"said", b"told\n")


def test_much_input_of_an_exec_comes_back_whole(engine: RunningEngine, keys: Path) -> None:
    assert docker(engine, keys, "run", "-d", "--name", "echo", "machine", "sleep", "60").stdout
    data = bytes(range(256)) * (5 << 12)
    done = docker(engine, keys, "exec", "-i", "echo", "cat", stdin=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data
    assert docker(engine, keys, "rm", "-f", "echo").returncode == 0


def test_files_and_images_come_and_go(engine: RunningEngine, keys: Path) -> None:
    assert docker(engine, keys, "create", "--name", "files", "machine").returncode == 0
    archive = docker(engine, keys, "cp", "files:/etc/passwd", "-").stdout
    assert docker(engine, keys, "cp", "-", "files:/tmp", stdin=archive).returncode == 0
    assert docker(engine, keys, "cp", "files:/tmp/passwd", "-").stdout == archive
    image = docker(engine, keys, "save", "machine").stdout
    assert docker(engine, keys, "load", stdin=image).stdout.startswith(b"Loaded image")


def test_who_shows_no_certificate_is_refused(
    engine: RunningEngine, keys: Path, tmp_path: Path
) -> None:
    shutil.copy(keys / "client" / "ca.pem", tmp_path)
    options = ("--host", f"tcp://{ADDRESS}", "--tls", "--tlscacert", str(tmp_path / "ca.pem"))
    command = engine.namespaces.command("docker", "--config", str(tmp_path), *options, "ps")
    refused = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert refused.returncode != 0
    assert b"certificate" in refused.stderr
