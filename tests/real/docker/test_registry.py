"""`docker login`, `push`, `pull` and their like against our engine, with Debian's registry."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import RunningEngine

NEEDED = ("docker", "docker-registry", "htpasswd")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason=f"needs {', '.join(NEEDED)}"),
]
HOST = "127.0.0.1:5000"
NAME = f"{HOST}/team/machine:1"
CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/blobs}}}}
http: {{addr: "127.0.0.1:5000", secret: none}}
auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}
"""


@pytest.fixture
def registry(sampan: RunningEngine, tmp_path: Path) -> Iterator[None]:
    """One that wants a password, on the loopback of the engine's namespace."""
    table = subprocess.run(["htpasswd", "-Bbn", "me", "secret"], capture_output=True, check=True)
    (tmp_path / "htpasswd").write_bytes(table.stdout)
    (tmp_path / "config.yml").write_text(CONFIGURATION.format(folder=tmp_path))
    process = subprocess.Popen(
        sampan.namespaces.command("docker-registry", "serve", str(tmp_path / "config.yml")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            said = sampan.namespaces.run("curl", "-s", f"http://{HOST}/v2/").stdout
            if "UNAUTHORIZED" in said:
                break
            time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()
        for name in (NAME, "machine:again"):
            sampan.command("rmi", "-f", name)
        (sampan.folder / "config.json").unlink(missing_ok=True)


def lines(sampan: RunningEngine, *words: str, stdin: str = "", code: int = 0) -> list[str]:
    done = sampan.command(*words, stdin=stdin)
    assert done.returncode == code, done.stdout + done.stderr
    return (done.stdout + done.stderr).splitlines()


def test_login_push_and_pull(sampan: RunningEngine, registry: None) -> None:
    del registry
    lines(sampan, "tag", "machine", NAME)
    assert "no basic auth credentials" in lines(sampan, "push", NAME, code=1)[-1]
    wrong = lines(sampan, "login", "-u", "me", "--password-stdin", HOST, stdin="guessed", code=1)
    assert "login attempt to 127.0.0.1:5000 failed" in wrong[-1]
    known = lines(sampan, "login", "-u", "me", "--password-stdin", HOST, stdin="secret")
    assert "Login Succeeded" in known

    pushed = lines(sampan, "push", NAME)
    assert pushed[0] == f"The push refers to repository [{HOST}/team/machine]"
    digest = re.fullmatch(r"1: digest: (sha256:[0-9a-f]{64}) size: \d+", pushed[-1])
    assert digest is not None
    assert any(line.endswith(": Pushed") for line in pushed)
    again = lines(sampan, "push", NAME)
    assert any(line.endswith(": Layer already exists") for line in again)

    identifier = lines(sampan, "image", "inspect", "-f", "{{.Id}}", NAME)[0]
    lines(sampan, "tag", NAME, "machine:again")
    removed = lines(sampan, "rmi", NAME)
    assert removed == [f"Untagged: {NAME}", f"Untagged: {HOST}/team/machine@{digest.group(1)}"]

    pulled = lines(sampan, "pull", NAME)
    assert pulled[0] == "1: Pulling from team/machine"
    assert f"Digest: {digest.group(1)}" in pulled
    assert pulled[-2:] == [f"Status: Downloaded newer image for {NAME}", NAME]
    assert lines(sampan, "image", "inspect", "-f", "{{.Id}}", NAME) == [identifier]
    up_to_date = lines(sampan, "pull", NAME)
    assert up_to_date[1:] == [
        f"Digest: {digest.group(1)}",
        f"Status: Image is up to date for {NAME}",
        NAME,
    ]
    by_digest = f"{HOST}/team/machine@{digest.group(1)}"
    assert lines(sampan, "pull", by_digest)[-1] == by_digest
    missing = lines(sampan, "pull", f"{HOST}/team/machine:none", code=1)
    assert "manifest for 127.0.0.1:5000/team/machine:none not found" in missing[-1]


def test_save_load_commit_and_history(sampan: RunningEngine, tmp_path: Path) -> None:
    lines(sampan, "run", "--name", "changed", "machine", "sh", "-c", "echo x >/new; rm /bin/ls")
    try:
        assert sorted(lines(sampan, "diff", "changed")) == ["A /new", "C /bin", "D /bin/ls"]
        change = 'CMD ["sh", "-c", "ls / 2>/dev/null || cat /new"]'
        lines(sampan, "commit", "-m", "why", "-a", "me", "-c", change, "changed", "mine:1")
        history = lines(sampan, "history", "--format", "{{.CreatedBy}}|{{.Comment}}", "mine:1")
        assert history[0].endswith("rm /bin/ls|why")
    finally:
        lines(sampan, "rm", "-f", "changed")
    lines(sampan, "save", "-o", str(tmp_path / "saved.tar"), "mine:1")
    removed = lines(sampan, "rmi", "mine:1")
    assert removed[0] == "Untagged: mine:1"
    assert removed[1].startswith("Deleted: sha256:")
    assert lines(sampan, "load", "-i", str(tmp_path / "saved.tar")) == ["Loaded image: mine:1"]
    assert lines(sampan, "run", "--rm", "mine:1")[-1] == "x"
    assert lines(sampan, "rmi", "mine:1")[0] == "Untagged: mine:1"
