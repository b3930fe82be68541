"""Docker's own command line against our engine: what people's fingers know, one verb after
another, with the exit codes and the words that scripts match on."""

import json
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engines import IMAGE, RunningEngine

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("docker") is None, reason="needs Docker's command line"),
]
FOREVER = ("sh", "-c", "echo begun; exec sleep 1000")
RESOLVE = 'print join(".", unpack("C4", scalar gethostbyname($ARGV[0]) // exit 4)), "\\n"'


class Docker:
    """The command line; a call is the output of a command that succeeds."""

    def __init__(self, engine: RunningEngine) -> None:
        self.engine = engine

    def __call__(self, *words: str, stdin: str = "") -> str:
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def run(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return self.engine.command(*words, stdin=stdin)

    def fails(self, code: int, *words: str) -> str:
        """What it says on its error stream when it ends with `code`."""
        done = self.run(*words)
        assert done.returncode == code, f"{words}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stderr.strip()


@pytest.fixture
def docker(sampan: RunningEngine) -> Iterator[Docker]:
    """Afterwards no container, network or volume is left."""
    command = Docker(sampan)
    yield command
    left = command("ps", "-aq").split()
    if left:
        command("rm", "-fv", *left)
    command("network", "prune", "-f")
    command("volume", "prune", "-af")


def test_exit_codes_of_run(docker: Docker) -> None:
    assert docker.run("run", "--rm", IMAGE, "sh", "-c", "exit 7").returncode == 7
    killed = docker.run("run", "--rm", "--init", IMAGE, "sh", "-c", "kill -9 $$")
    assert killed.returncode == 137
    assert 'exec: "nosuch": executable file not found in $PATH' in docker.fails(
        127, "run", "--rm", IMAGE, "nosuch"
    )
    assert "permission denied" in docker.fails(126, "run", "--rm", IMAGE, "/etc")
    assert "unknown flag: --nosuch" in docker.fails(125, "run", "--nosuch", IMAGE)
    assert docker("ps", "-aq") == ""


def test_streams_and_environment_of_run(docker: Docker, tmp_path: Path) -> None:
    done = docker.run("run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert docker("run", "-i", "--rm", IMAGE, "cat", stdin="typed") == "typed"
    large = "x" * 1_000_000
    assert docker("run", "-i", "--rm", IMAGE, "cat", stdin=large) == large
    told = docker(
        *("run", "--rm", "-e", "COLOUR=red", "-w", "/tmp", "-u", "app", "-h", "named", IMAGE),
        *("sh", "-c", "echo $COLOUR; pwd; id -un; cat /etc/hostname"),
    )
    assert told.split() == ["red", "/tmp", "app", "named"]
    (tmp_path / "file").write_text("of the machine")
    place = f"{tmp_path}:/given"
    assert docker("run", "--rm", "-v", place, IMAGE, "cat", "/given/file") == "of the machine"
    refused = docker.run("run", "--rm", "-v", f"{place}:ro", IMAGE, "touch", "/given/other")
    assert refused.returncode == 1
    docker("run", "--rm", "-v", place, IMAGE, "touch", "/given/other")
    assert (tmp_path / "other").exists()
    links = "run", "--rm", "--network", "none", IMAGE, "ls", "/sys/class/net"
    assert docker(*links) == "lo"
    assert docker("run", "--rm", "--init", IMAGE, "cat", "/proc/1/comm") != "cat"
    assert docker.run("run", "--rm", "--read-only", IMAGE, "touch", "/x").returncode == 1
    docker("run", "--rm", "--read-only", "--tmpfs", "/tmp", IMAGE, "touch", "/tmp/x")


def test_listing(docker: Docker) -> None:
    docker("run", "-d", "--name", "up", "-l", "tier=front", IMAGE, *FOREVER)
    assert docker.run("run", "--name", "over", IMAGE, "sh", "-c", "exit 3").returncode == 3
    names = ("--format", "{{.Names}}")
    assert docker("ps", *names) == "up"
    assert docker("ps", "-a", *names).split() == ["over", "up"]
    for wanted, found in (
        ("status=exited", "over"),
        ("exited=3", "over"),
        ("label=tier", "up"),
        ("label=tier=back", ""),
        ("name=^u", "up"),
        ("before=over", "up"),
        ("since=up", "over"),
        (f"ancestor={IMAGE}", "over\nup"),
        ("health=none", "over\nup"),
    ):
        assert docker("ps", "-a", "-f", wanted, *names) == found, wanted
    assert re.fullmatch(
        r"Exited \(3\) .* ago", docker("ps", "-lf", "exited=3", "--format", "{{.Status}}")
    )
    table = docker("ps").splitlines()
    assert table[0].split() == [
        "CONTAINER",
        "ID",
        *["IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"],
    ]
    shown = json.loads(docker("ps", "--format", "json"))
    assert (shown["Names"], shown["State"], shown["Labels"]) == ("up", "running", "tier=front")
    assert docker("inspect", "-f", "{{.State.Running}} {{.Config.Image}}", "up") == "true machine"
    assert docker("inspect", "-s", "-f", "{{.SizeRw}}", "up").isdigit()
    assert "No such object: nosuch" in docker.fails(1, "inspect", "nosuch")
    assert "No such container: nosuch" in docker.fails(1, "rm", "nosuch")


def test_logs(docker: Docker) -> None:
    script = "for i in 1 2 3 4; do echo $i; done; echo wrong >&2; sleep 0.3; echo end"
    docker("run", "-d", "--name", "talks", IMAGE, "sh", "-c", script)
    followed = docker.run("logs", "-f", "talks")
    assert (followed.stdout, followed.stderr) == ("1\n2\n3\n4\nend\n", "wrong\n")
    assert docker("logs", "-n", "1", "talks") == "end"
    stamped = docker("logs", "-t", "talks").splitlines()
    times = [line.split(" ")[0] for line in stamped]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d+Z", time) for time in times)
    assert docker("logs", "--since", times[-1], "talks") == "end"
    assert docker("logs", "--until", times[3], "talks").split() == ["1", "2", "3", "4"]
    assert docker("logs", "--since", "1h", "talks").split() == ["1", "2", "3", "4", "end"]
    assert "No such container: nosuch" in docker.fails(1, "logs", "nosuch")


def test_log_files_are_what_shippers_read(docker: Docker) -> None:
    told = ("--label", "team=a b", "--log-opt", "labels=team", "--log-opt", "tag={{.Name}}")
    script = "i=0; while test $((i+=1)) -le 3000; do echo $i; done; printf end"
    docker("run", "-d", "--name", "ships", *told, IMAGE, "sh", "-c", script)
    assert docker("wait", "ships") == "0"
    file = Path(docker("inspect", "-f", "{{.LogPath}}", "ships"))
    assert file.name.endswith("-json.log")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    said = [*(f"{number}\n" for number in range(1, 3001)), "end"]
    assert [line["log"] for line in lines] == said
    assert all(line["attrs"] == {"tag": "ships", "team": "a b"} for line in lines)
    assert docker("logs", "--details", "-n", "2", "ships").splitlines() == [
        "tag=ships,team=a+b 3000",
        "tag=ships,team=a+b end",
    ]
    refused = docker.fails(125, "run", "--log-driver", "syslog", IMAGE, "true")
    assert "logger: no log driver named 'syslog' is registered" in refused


def test_exec(docker: Docker) -> None:
    docker("run", "-d", "--name", "host", "-e", "A=1", IMAGE, *FOREVER)
    assert docker("exec", "-e", "B=2", "-w", "/tmp", "host", "sh", "-c", "echo $A$B; pwd") == (
        "12\n/tmp"
    )
    assert docker.run("exec", "host", "sh", "-c", "exit 9").returncode == 9
    assert docker.run("exec", "host", "nosuch").returncode == 127
    assert docker("exec", "-i", "host", "cat", stdin="typed") == "typed"
    assert docker("exec", "-u", "app", "host", "id", "-u") == "1000"
    docker("exec", "-d", "host", "sh", "-c", "echo here >/tmp/made")
    until(lambda: docker.run("exec", "host", "cat", "/tmp/made").stdout == "here\n")
    docker("stop", "-t", "0", "host")
    assert "is not running" in docker.fails(1, "exec", "host", "true")


def until(probe: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_files_in_and_out(docker: Docker, tmp_path: Path) -> None:
    docker("run", "-d", "--name", "box", IMAGE, *FOREVER)
    (tmp_path / "folder/inner").mkdir(parents=True)
    (tmp_path / "folder/inner/file").write_text("inside")
    (tmp_path / "folder/link").symlink_to("inner/file")
    docker("cp", f"{tmp_path}/folder", "box:/tmp")
    assert docker("exec", "box", "cat", "/tmp/folder/link") == "inside"
    docker("cp", f"{tmp_path}/folder/inner/file", "box:/tmp/renamed")
    docker("cp", "box:/tmp/folder", f"{tmp_path}/back")
    assert (tmp_path / "back/inner/file").read_text() == "inside"
    assert (tmp_path / "back/link").is_symlink()
    docker("cp", "-L", "box:/tmp/folder/link", f"{tmp_path}/followed")
    assert (tmp_path / "followed").read_text() == "inside"
    assert "Could not find the file /nosuch in container box" in docker.fails(
        1, "cp", "box:/nosuch", str(tmp_path)
    )
    changed = docker("diff", "box").splitlines()
    assert {"C /tmp", "A /tmp/folder", "A /tmp/renamed"} <= set(changed)
    docker("stop", "-t", "0", "box")
    docker("cp", "box:/tmp/renamed", f"{tmp_path}/of-a-stopped")
    assert (tmp_path / "of-a-stopped").read_text() == "inside"


def test_export_and_import(docker: Docker, tmp_path: Path) -> None:
    docker("create", "--name", "whole", IMAGE, "true")
    docker("export", "-o", str(tmp_path / "root.tar"), "whole")
    with tarfile.open(tmp_path / "root.tar") as archive:
        assert "bin/sh" in archive.getnames()
    docker("import", "-c", 'CMD ["sh", "-c", "echo anew"]', str(tmp_path / "root.tar"), "anew:1")
    assert docker("run", "--rm", "anew:1") == "anew"
    assert docker("images", "anew", "--format", "{{.Repository}}:{{.Tag}}") == "anew:1"
    docker("rmi", "anew:1")


def test_life(docker: Docker) -> None:
    docker("run", "-d", "--name", "life", IMAGE, *FOREVER)
    status = ("inspect", "-f", "{{.State.Status}}", "life")
    assert docker("pause", "life") == "life"
    assert docker(*status) == "paused"
    docker("unpause", "life")
    assert docker(*status) == "running"
    docker("rename", "life", "living")
    assert docker("update", "--memory", "64m", "--memory-swap", "64m", "living") == "living"
    assert docker("inspect", "-f", "{{.HostConfig.Memory}}", "living") == str(64 << 20)
    before = docker("inspect", "-f", "{{.State.StartedAt}}", "living")
    assert docker("restart", "-t", "0", "living") == "living"
    assert docker("inspect", "-f", "{{.State.StartedAt}}", "living") > before
    titles, first = docker("top", "living", "-o", "pid,args").splitlines()
    assert titles.split() == ["PID", "COMMAND"]
    assert first.endswith("sleep 1000")
    shown = json.loads(docker("stats", "--no-stream", "--format", "json", "living"))
    assert shown["Name"] == "living"
    assert shown["PIDs"] == "1"
    assert shown["MemUsage"].endswith("/ 64MiB")
    assert "cannot remove a running container" in docker.fails(1, "rm", "living")
    docker("kill", "-s", "KILL", "living")
    assert docker("wait", "living") == "137"
    docker("start", "living")
    assert docker("start", "living") == "living"
    docker("stop", "-t", "0", "living")
    assert docker("stop", "living") == "living"
    assert docker("container", "prune", "-f").splitlines()[0] == "Deleted Containers:"


def test_restart_policy_and_wait(docker: Docker) -> None:
    docker("run", "-d", "--name", "again", "--restart", "on-failure:2", IMAGE, "false")
    until(lambda: docker("inspect", "-f", "{{.RestartCount}}", "again") == "2")
    until(lambda: docker("inspect", "-f", "{{.State.Status}}", "again") == "exited")
    assert docker("wait", "again") == "1"


def test_health(docker: Docker) -> None:
    docker(
        *("run", "-d", "--name", "ill", "--health-cmd", "ls /tmp/well"),
        *("--health-interval", "100ms", "--health-retries", "2", IMAGE, *FOREVER),
    )
    health = ("inspect", "-f", "{{.State.Health.Status}}", "ill")
    until(lambda: docker(*health) == "unhealthy")
    docker("exec", "ill", "touch", "/tmp/well")
    until(lambda: docker(*health) == "healthy")
    assert "(healthy)" in docker("ps", "--format", "{{.Status}}", "-f", "health=healthy")


def test_ports(docker: Docker) -> None:
    docker(
        "run", "-d", "--name", "web", "-p", "127.0.0.1:8081:80", "-p", "53:53/udp", IMAGE, *FOREVER
    )
    assert docker("port", "web", "80") == "127.0.0.1:8081"
    assert "80/tcp -> 127.0.0.1:8081" in docker("port", "web").splitlines()
    assert "127.0.0.1:8081->80/tcp" in docker("ps", "--format", "{{.Ports}}")
    taken = docker.fails(125, "run", "--rm", "-p", "127.0.0.1:8081:80", IMAGE, "true")
    assert "port is already allocated" in taken


def test_networks_and_names(docker: Docker) -> None:
    identifier = docker(
        "network", "create", "--subnet", "10.99.0.0/24", "--label", "a=b", "backend"
    )
    assert len(identifier) == 64
    docker(
        *("run", "-d", "--name", "base", "--network", "backend", "--network-alias", "db"),
        *("--ip", "10.99.0.9", IMAGE, *FOREVER),
    )
    for name in ("base", "db"):
        told = docker("run", "--rm", "--network", "backend", IMAGE, "perl", "-e", RESOLVE, name)
        assert told == "10.99.0.9"
    docker("run", "-d", "--name", "late", IMAGE, *FOREVER)
    asking = "exec", "late", "perl", "-e", RESOLVE, "base"
    assert docker.run(*asking).returncode == 4
    docker("network", "connect", "--alias", "tardy", "backend", "late")
    assert docker(*asking) == "10.99.0.9"
    back = docker("exec", "base", "perl", "-e", RESOLVE, "tardy")
    assert back.startswith("10.99.0.")
    docker("network", "disconnect", "backend", "late")
    assert docker.run(*asking).returncode == 4
    rows = docker("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}").splitlines()
    assert {"backend bridge local", "bridge bridge local", "none null local"} <= set(rows)
    assert docker("network", "ls", "-q", "--no-trunc", "-f", "label=a=b") == identifier
    assert "active endpoints" in docker.fails(1, "network", "rm", "backend")
    docker("rm", "-f", "base", "late")
    assert docker("network", "rm", "backend") == "backend"
    assert "network nosuch not found" in docker.fails(1, "network", "rm", "nosuch")


def test_volumes(docker: Docker) -> None:
    assert docker("volume", "create", "--label", "kept=yes", "data") == "data"
    docker("run", "--rm", "-v", "data:/data", IMAGE, "sh", "-c", "echo kept >/data/file")
    assert docker("run", "--rm", "-v", "data:/data:ro", IMAGE, "cat", "/data/file") == "kept"
    docker("create", "--name", "holder", "-v", "data:/data", "-v", "/anonymous", IMAGE, "true")
    assert "volume is in use" in docker.fails(1, "volume", "rm", "data")
    assert len(docker("volume", "ls", "-q").split()) == 2
    assert docker("volume", "ls", "-q", "-f", "label=kept") == "data"
    docker("rm", "-v", "holder")
    assert docker("volume", "ls", "-q") == "data"
    assert docker("volume", "inspect", "-f", "{{.Driver}} {{.Labels.kept}}", "data") == "local yes"
    assert "data" not in docker("volume", "prune", "-f")
    assert "data" in docker("volume", "prune", "-af").splitlines()
    assert "no such volume" in docker.fails(1, "volume", "inspect", "data")


def test_events(docker: Docker) -> None:
    begun = f"{time.time():.6f}"
    docker("run", "--rm", "--name", "noted", "-l", "noted=1", IMAGE, "true")
    until(lambda: not docker("ps", "-aq"))
    lines = docker(
        *("events", "--since", begun, "--until", f"{time.time():.6f}", "-f", "container=noted"),
        *("--format", "{{.Type}} {{.Action}}"),
    ).splitlines()
    actions = ["create", "attach", "start", "die", "destroy"]
    assert [line for line in lines if line.split()[1] in actions] == [
        f"container {action}" for action in actions
    ]
    labelled = "events", "--since", begun, "--until", f"{time.time():.6f}", "-f", "label=noted=1"
    assert "name=noted" in docker(*labelled)


def test_system(docker: Docker) -> None:
    shown = json.loads(docker("system", "df", "--format", "{{json .}}").splitlines()[0])
    assert shown["Type"] == "Images"
    assert "VOLUME NAME" in docker("system", "df", "-v")
    assert docker("info", "-f", "{{.OSType}} {{.Swarm.LocalNodeState}}") == "linux inactive"
    assert "Server Version:" in docker("info")
    assert docker("version", "-f", "{{.Server.Os}}") == "linux"
    docker("create", "--name", "stale", IMAGE, "true")
    docker("network", "create", "stale")
    told = docker("system", "prune", "-f").splitlines()
    assert "Deleted Containers:" in told
    assert "Deleted Networks:" in told
    assert told[-1].startswith("Total reclaimed space:")
    assert "is not a swarm manager" in docker.fails(1, "node", "ls")


def test_build(docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE} AS made\nARG WHO=nobody\nRUN echo for $WHO >/made\n"
        f'FROM {IMAGE}\nCOPY --from=made /made /made\nCOPY given /given\nCMD ["cat", "/made"]\n'
    )
    (tmp_path / "given").write_text("one")
    build = "build", "-t", "built:1", "--build-arg", "WHO=me", str(tmp_path)
    said = docker(*build)
    assert "Successfully tagged built:1" in said
    assert "Using cache" not in said
    assert docker("run", "--rm", "built:1") == "for me"
    assert docker(*build).count("Using cache") >= 3
    identifier = docker("build", "-q", str(tmp_path), "--build-arg", "WHO=me")
    assert identifier == docker("inspect", "-f", "{{.Id}}", "built:1")
    (tmp_path / "given").write_text("two")
    docker(*build)
    assert docker("run", "--rm", "built:1", "cat", "/given") == "two"
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN exit 3\n")
    assert "returned a non-zero code: 3" in docker.fails(3, "build", str(tmp_path))
    docker("rmi", "-f", "built:1")
    docker("image", "prune", "-f")
