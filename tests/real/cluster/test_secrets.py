"""What is secret is seen by nobody who wasn't given it: not in process lists, logs or the audit
log, and on the disk only encrypted or behind the permissions of root (49)."""

import base64
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.real.harness import Cluster, eventually, is_ready

pytestmark = pytest.mark.real

POD = """
apiVersion: v1
kind: Pod
metadata: {name: keeper, namespace: discretion}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: hello:1
      command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 0.1; done"]
      env:
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: login, key: password}}}
      livenessProbe: {exec: {command: [cat, /login/password]}, periodSeconds: 1}
      volumeMounts: [{name: login, mountPath: /login}]
  volumes:
    - {name: login, secret: {secretName: login}}
"""


class Discretion(msgspec.Struct):
    """A cluster, and what nobody may see of it."""

    cluster: Cluster
    hidden: dict[str, bytes]

    def found_in(self, content: bytes) -> list[str]:
        """Which of the secrets stand in there, as they are or in base64."""
        return [
            name
            for name, secret in self.hidden.items()
            if secret in content or base64.b64encode(secret) in content
        ]


@pytest.fixture(scope="module")
def discretion(cluster: Cluster) -> Iterator[Discretion]:
    """A Secret that is written, changed, read, mounted and given to a command; and tokens."""
    told = Discretion(cluster, {"password": secrets.token_hex(16).encode()})

    def kubectl(*arguments: str, **options: str) -> str:
        answer = cluster.kubectl("-n", "discretion", *arguments, **options)
        assert answer.returncode == 0, answer.stderr
        return str(answer.stdout)

    cluster.kubectl("create", "namespace", "discretion")
    password = told.hidden["password"].decode()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}}
    kubectl("apply", "-f", "-", input=json.dumps(secret | {"stringData": {"password": "first"}}))
    kubectl("apply", "-f", "-", input=json.dumps(secret | {"stringData": {"password": password}}))
    # Refused: of the wrong form, and with the secret in the wrong place.
    for wrong in ({"data": {"password": password}}, {"stringData": {"a b": password}}):
        answer = cluster.kubectl(
            "-n", "discretion", "create", "-f", "-", input=json.dumps(secret | wrong)
        )
        assert answer.returncode != 0
    cluster.apply(POD)
    eventually(lambda: is_ready(cluster.get("pod", "keeper", "-n", "discretion")), 20, "it runs")
    assert kubectl("exec", "keeper", "--", "sh", "-c", "echo $PASSWORD").strip() == password
    told.hidden["token"] = kubectl("create", "token", "default").strip().encode()
    kubectl("auth", "whoami", f"--token={told.hidden['token'].decode()}")
    kubectl("get", "secrets", "-o", "yaml")
    yield told
    assert cluster.kubectl("delete", "namespace", "discretion", "--timeout=30s").returncode == 0


def test_no_process_shows_them_in_its_command_line(discretion: Discretion) -> None:
    lines = [_read(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert any(b"conmon" in line for line in lines)
    assert [line for line in lines if discretion.found_in(line)] == []


def test_no_log_and_no_audit_tells_them(discretion: Discretion) -> None:
    folder = discretion.cluster.instance.state_folder / "log"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any("audit" in path.name for path in files), files
    told = {str(path): discretion.found_in(path.read_bytes()) for path in files}
    assert {path: names for path, names in told.items() if names} == {}


def test_no_event_tells_them(discretion: Discretion) -> None:
    events = discretion.cluster.kubectl("get", "events", "-A", "-o", "json").stdout
    assert discretion.found_in(events.encode()) == []


def test_the_disk_shows_them_to_root_at_most(discretion: Discretion) -> None:
    instance = discretion.cluster.instance
    for top in (instance.state_folder, instance.configuration_folder):
        for path in top.rglob("*"):
            if path.is_file() and not path.is_symlink() and discretion.found_in(_read(path)):
                assert not _others_can_read(path), path
                assert path.suffix not in {".db", ".db-wal", ".sqlite"}, path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has gone meanwhile
        return b""


def _others_can_read(path: Path) -> bool:
    """Whether every folder on the way lets others pass, and the file itself lets them read."""
    if not os.stat(path).st_mode & 0o044:
        return False
    return all(os.stat(folder).st_mode & 0o011 for folder in path.parents)
