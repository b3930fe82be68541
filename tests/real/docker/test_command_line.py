"""Docker's command line does its daily work with our engine."""

import os
import pty
import select
import time
from pathlib import Path

import pytest
from engines import RunningEngine

pytestmark = pytest.mark.real


def done(engine: RunningEngine, *words: str, stdin: str = "") -> str:
    """What a command says; it must end well."""
    ended = engine.command(*words, stdin=stdin)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_a_container_through_its_life(sampan: RunningEngine) -> None:
    done(sampan, "run", "-d", "--name", "life", "-l", "a=b", "machine", "sleep", "60")
    assert done(sampan, "ps", "--filter", "label=a=b", "--format", "{{.Names}}") == "life"
    assert done(sampan, "exec", "-i", "life", "cat", stdin="hello") == "hello"
    assert sampan.command("exec", "life", "sh", "-c", "exit 5").returncode == 5
    done(sampan, "pause", "life")
    assert "(Paused)" in done(sampan, "ps", "--format", "{{.Status}}")
    done(sampan, "unpause", "life")
    done(sampan, "rename", "life", "later")
    done(sampan, "restart", "-t", "0", "later")
    assert "sleep 60" in done(sampan, "top", "later")
    assert "later" in done(sampan, "stats", "--no-stream", "later")
    done(sampan, "stop", "-t", "0", "later")
    assert done(sampan, "wait", "later") == "137"
    done(sampan, "rm", "later")
    assert sampan.command("inspect", "later").returncode == 1


def test_files_are_copied_in_and_out(sampan: RunningEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("data")
    done(sampan, "run", "-d", "--name", "files", "machine", "sleep", "60")
    done(sampan, "cp", str(tmp_path / "file"), "files:/tmp/in")
    assert done(sampan, "exec", "files", "cat", "/tmp/in") == "data"
    done(sampan, "cp", "files:/tmp/in", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "data"
    assert "A /tmp/in" in done(sampan, "diff", "files")
    done(sampan, "commit", "files", "snapshot:1")
    assert done(sampan, "run", "--rm", "snapshot:1", "cat", "/tmp/in") == "data"
    done(sampan, "rm", "-f", "files")
    done(sampan, "rmi", "snapshot:1")


def test_an_image_is_built_saved_and_loaded(sampan: RunningEngine, tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "file").write_text("copied")
    (context / "Dockerfile").write_text(
        'FROM machine\nRUN echo made > /made\nCOPY file /file\nCMD ["cat", "/made", "/file"]\n'
    )
    told = done(sampan, "build", "-t", "made:1", str(context))
    assert "Successfully tagged made:1" in told
    assert done(sampan, "run", "--rm", "made:1") == "made\ncopied"
    done(sampan, "save", "-o", str(tmp_path / "image.tar"), "made:1")
    done(sampan, "rmi", "made:1")
    assert done(sampan, "load", "-i", str(tmp_path / "image.tar")) == "Loaded image: made:1"
    (context / "Dockerfile").write_text("FROM machine\nRUN exit 3\n")
    failed = sampan.command("build", str(context))
    assert failed.returncode == 3
    assert "returned a non-zero code: 3" in failed.stderr
    done(sampan, "rmi", "made:1")


def test_networks_and_volumes(sampan: RunningEngine) -> None:
    done(sampan, "network", "create", "--subnet", "10.88.0.0/24", "net")
    done(sampan, "volume", "create", "vol")
    where = ("--network", "net", "--ip", "10.88.0.9", "-v", "vol:/data")
    done(sampan, "run", "-d", "--name", "one", *where, "machine", "sleep", "60")
    shown = '{{(index .NetworkSettings.Networks "net").IPAddress}}'
    assert done(sampan, "inspect", "-f", shown, "one") == "10.88.0.9"
    done(sampan, "exec", "one", "sh", "-c", "echo kept > /data/x")
    done(sampan, "network", "disconnect", "net", "one")
    done(sampan, "network", "connect", "net", "one")
    done(sampan, "rm", "-f", "one")
    assert done(sampan, "run", "--rm", "-v", "vol:/data", "machine", "cat", "/data/x") == "kept"
    done(sampan, "volume", "rm", "vol")
    done(sampan, "network", "rm", "net")
    assert "TYPE" in done(sampan, "system", "df")


class Terminal:
    """A command of Docker's in a terminal of its own."""

    def __init__(self, engine: RunningEngine, *words: str) -> None:
        self.process, self._terminal = pty.fork()
        if self.process == 0:
            os.environ |= {
                "DOCKER_HOST": f"unix://{engine.address}",
                "DOCKER_CONFIG": str(engine.folder),
            }
            os.execvp("docker", ["docker", *words])

    def until(self, text: bytes) -> None:
        said = b""
        deadline = time.monotonic() + 10
        while text not in said:
            assert time.monotonic() < deadline, said
            if select.select([self._terminal], [], [], 0.2)[0]:
                said += os.read(self._terminal, 4096)

    def type(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def end(self) -> int:
        _, status = os.waitpid(self.process, 0)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status)


def test_a_terminal_is_left_and_taken_up_again(sampan: RunningEngine) -> None:
    first = Terminal(sampan, "run", "-it", "--name", "term", "machine")
    first.until(b"# ")
    first.type(b"echo $((20+3))\n")
    first.until(b"\n23")
    first.type(b"\x10\x11")
    assert first.end() == 0
    assert done(sampan, "inspect", "-f", "{{.State.Status}}", "term") == "running"
    second = Terminal(sampan, "attach", "term")
    second.type(b"\n")
    second.until(b"# ")
    second.type(b"exit 4\n")
    assert second.end() == 4
    done(sampan, "rm", "term")
