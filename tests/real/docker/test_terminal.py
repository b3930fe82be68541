"""Docker's command line and ours at a terminal: left to itself, taken up again, interrupted."""

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from engines import IMAGE, Sampan
from harness import ROOT

pytestmark = pytest.mark.real

LEAVE, INTERRUPT = b"\x10\x11", b"\x03"
LINGER = ("sh", "-c", "echo begun; exec sleep 1000")


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, engine: Sampan, client: str, *words: str) -> None:
        own = client == "sampan"
        command = [sys.executable, "-m", "sampan"] if own else ["docker"]
        self.process, self._terminal = pty.fork()
        if self.process == 0:
            os.environ |= engine.environment() | {
                "SAMPAN_INSTANCE": engine.instance.name,
                "PYTHONPATH": str(ROOT / "src"),
            }
            os.execvp(command[0], [*command, *words])

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


Open = Callable[..., Terminal]


@pytest.fixture(params=["docker", "sampan"])
def opened(sampan: Sampan, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens terminals; afterwards the container `term` is gone."""
    yield lambda *words: Terminal(sampan, request.param, *words)
    sampan.command("rm", "-f", "term")


def status(engine: Sampan) -> str:
    return engine.command("inspect", "-f", "{{.State.Status}}", "term").stdout.strip()


def test_a_terminal_is_left_and_taken_up_again(sampan: Sampan, opened: Open) -> None:
    first = opened("run", "-it", "--name", "term", IMAGE)
    first.until(b"# ")
    first.type(b"echo $((20+3))\n")
    first.until(b"\n23")
    first.type(LEAVE)
    assert first.end() == 0
    assert status(sampan) == "running"
    second = opened("attach", "term")
    second.type(b"\n")
    second.until(b"# ")
    second.type(b"exit 4\n")
    assert second.end() == 4


def test_a_command_is_left_to_itself(sampan: Sampan, opened: Open) -> None:
    assert sampan.command("run", "-d", "--name", "term", IMAGE, *LINGER).returncode == 0
    command = opened("exec", "-it", "term", "sh")
    command.until(b"# ")
    command.type(LEAVE)
    command.until(b"read escape sequence")
    assert command.end() == 1
    commands = [line.split()[-1] for line in sampan.command("top", "term").stdout.splitlines()]
    assert commands == ["CMD", "1000", "sh"]


def test_an_interrupt_that_is_typed_is_the_containers(opened: Open) -> None:
    terminal = opened(
        "run", "-it", "--rm", "--name", "term", IMAGE, *LINGER[:2], "echo go; sleep 9"
    )
    terminal.until(b"go")
    terminal.type(INTERRUPT)
    assert terminal.end() == 128 + signal.SIGINT


def test_a_signal_is_passed_on(opened: Open) -> None:
    script = "trap 'exit 9' TERM; echo go; while true; do sleep 0.1; done"
    terminal = opened("run", "--rm", "--name", "term", IMAGE, "sh", "-c", script)
    terminal.until(b"go")
    os.kill(terminal.process, signal.SIGTERM)
    assert terminal.end() == 9


def test_a_stopped_container_cannot_be_attached_to(sampan: Sampan, opened: Open) -> None:
    assert sampan.command("create", "--name", "term", IMAGE, *LINGER).returncode == 0
    terminal = opened("attach", "term")
    terminal.until(b"cannot attach to a stopped container")
    assert terminal.end() == 1


def test_our_own_signals_end_us_alone_where_none_is_passed_on(sampan: Sampan) -> None:
    words = ("run", "--name", "term", "--sig-proxy=false", IMAGE, *LINGER)
    terminal = Terminal(sampan, "sampan", *words)
    terminal.until(b"begun")
    os.kill(terminal.process, signal.SIGINT)
    assert terminal.end() == 128 + signal.SIGINT
    assert status(sampan) == "running"
    assert sampan.command("rm", "-f", "term").returncode == 0
