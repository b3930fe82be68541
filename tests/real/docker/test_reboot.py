"""The machine is started anew: what is to run comes up, reached by the same names and ports."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engines import IMAGE, Sampan

pytestmark = pytest.mark.real

SERVE = """
socket(S, 2, 1, 0); bind(S, pack("S n a4 x8", 2, 80, "\\0\\0\\0\\0")) or die; listen(S, 5);
while (accept(C, S)) { open(F, "/data/said"); syswrite(C, <F>); close C }
"""
RESOLVE = 'print join(".", unpack("C4", scalar gethostbyname($ARGV[0]) // exit 4)), "\\n"'
FOREVER = ("sleep", "1000")
PATIENCE_SECONDS = 20


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Sampan]:
    with Sampan(tmp_path) as engine:
        yield engine


def done(machine: Sampan, *words: str) -> str:
    answer = machine.command(*words)
    assert answer.returncode == 0, f"{words}: {answer.stderr}"
    return answer.stdout.strip()


def eventually(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def said_at(machine: Sampan, port: int) -> str:
    return machine.namespaces.run(
        "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port} && cat <&3", timeout=10
    ).stdout


def state(machine: Sampan, name: str) -> str:
    return done(machine, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name)


def test_what_is_to_run_runs_again(machine: Sampan) -> None:
    done(machine, "network", "create", "--subnet", "10.99.0.0/24", "shop")
    done(machine, "volume", "create", "data")
    volume = ("-v", "data:/data")
    done(machine, "run", "--rm", *volume, IMAGE, "sh", "-c", "echo kept > /data/said")
    shop = ("--network", "shop", "--ip", "10.99.0.9", "--network-alias", "till")
    server = ("-p", "127.0.0.1:8080:80", *volume, IMAGE, "perl", "-e", SERVE)
    done(machine, "run", "-d", "--name", "always", "--restart", "always", *shop, *server)
    for name, policy in (
        ("failing", "on-failure"),
        ("stopped", "unless-stopped"),
        ("by-hand", "always"),
        ("once", "no"),
    ):
        done(machine, "run", "-d", "--name", name, "--restart", policy, IMAGE, *FOREVER)
    done(machine, "stop", "-t", "0", "stopped", "by-hand")
    done(machine, "run", "-d", "--rm", "--name", "gone", IMAGE, *FOREVER)
    eventually(lambda: said_at(machine, 8080) == "kept\n", "the port leads to the server")
    before = done(machine, "inspect", "-f", "{{.State.StartedAt}}", "always")

    machine.reboot()

    eventually(lambda: said_at(machine, 8080) == "kept\n", "the port leads to the server again")
    for name in ("always", "failing", "by-hand"):
        eventually(lambda name=name: state(machine, name) == "running 0", f"{name} runs again")
    assert done(machine, "inspect", "-f", "{{.State.StartedAt}}", "always") != before
    assert state(machine, "stopped").startswith("exited")
    assert state(machine, "once") == "exited 255"
    assert machine.command("inspect", "gone").returncode == 1
    asking = ("run", "--rm", "--network", "shop", IMAGE, "perl", "-e", RESOLVE)
    for name in ("always", "till"):
        assert done(machine, *asking, name) == "10.99.0.9"
    fresh = done(machine, "run", "-d", "--name", "fresh", "--network", "shop", IMAGE, *FOREVER)
    address = "{{.NetworkSettings.Networks.shop.IPAddress}}"
    assert done(machine, "inspect", "-f", address, fresh) == "10.99.0.2"


def test_a_second_start_finds_what_the_first_one_left(machine: Sampan) -> None:
    done(machine, "run", "-d", "--name", "always", "--restart", "always", IMAGE, *FOREVER)
    done(machine, "exec", "always", "sh", "-c", "echo written > /file")
    for _ in range(2):
        machine.reboot()
        eventually(lambda: state(machine, "always") == "running 0", "it runs again")
    assert done(machine, "exec", "always", "cat", "/file") == "written"
    assert done(machine, "ps", "-q").count("\n") == 0
