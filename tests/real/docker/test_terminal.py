"""Docker's command line at a terminal: left to itself, and taken up again."""

import os
import pty
import select
import time

import pytest
from engines import RunningEngine

pytestmark = pytest.mark.real


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
    state = sampan.command("inspect", "-f", "{{.State.Status}}", "term")
    assert state.stdout.strip() == "running", state.stderr
    second = Terminal(sampan, "attach", "term")
    second.type(b"\n")
    second.until(b"# ")
    second.type(b"exit 4\n")
    assert second.end() == 4
    assert sampan.command("rm", "term").returncode == 0
