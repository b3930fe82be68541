"""The same questions to our engine and to Docker's (20.10), in the newest API that both speak.

Each difference that is left is told here with its reason; one that isn't fails the test.
"""

import json
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from comparison import differences
from engines import Answer, RunningEngine

pytestmark = pytest.mark.real

V = "/v1.41"
CREATION = {
    "Image": "machine",
    "Cmd": ["sh", "-c", "echo hi; exec sleep 60"],
    "ExposedPorts": {"80/tcp": {}},
    "Labels": {"a": "b"},
    "HostConfig": {
        "PortBindings": {"80/tcp": [{"HostPort": "8080"}]},
        "Memory": 64 << 20,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
    },
}
SUBNET = {"Config": [{"Subnet": "10.77.0.0/24"}]}
FILTER = "filters=%7B%22x%22%3A%5B%22y%22%5D%7D"
STEPS: list[tuple[str, str, Any]] = [
    ("GET", "/info", None),
    ("GET", "/version", None),
    ("GET", "/images/machine/json", None),
    ("GET", "/images/json", None),
    ("GET", "/images/machine/history", None),
    ("POST", "/containers/create?name=one", CREATION),
    ("POST", "/containers/create?name=one", CREATION),
    ("GET", "/containers/one/json", None),
    ("POST", "/containers/one/start", None),
    ("POST", "/containers/one/start", None),
    ("GET", "/containers/one/json", None),
    ("GET", "/containers/json?size=1", None),
    ("GET", "/containers/one/changes", None),
    ("GET", "/containers/one/stats?stream=0", None),
    ("POST", "/containers/one/exec", {"Cmd": []}),
    ("DELETE", "/containers/one", None),
    ("POST", "/containers/one/pause", None),
    ("POST", "/containers/one/exec", {"Cmd": ["sh"]}),
    ("GET", "/containers/one/json", None),
    ("POST", "/containers/one/pause", None),
    ("POST", "/containers/one/unpause", None),
    ("POST", "/containers/one/kill?signal=NO", None),
    ("POST", "/containers/one/update", {"Memory": 32 << 20, "MemorySwap": 64 << 20}),
    ("POST", "/containers/one/kill?signal=KILL", None),
    ("POST", "/containers/one/wait", None),
    ("POST", "/containers/one/kill", None),
    ("POST", "/containers/one/stop", None),
    ("GET", "/containers/one/json", None),
    ("POST", "/containers/one/exec", {"Cmd": ["sh"]}),
    ("GET", "/containers/json?all=1", None),
    ("GET", "/containers/one/logs", None),
    ("GET", "/containers/one/archive?path=/nosuch", None),
    ("POST", "/containers/one/rename?name=two", None),
    ("POST", "/containers/two/rename", None),
    ("DELETE", "/containers/two", None),
    ("DELETE", "/containers/two", None),
    ("POST", "/containers/create", {"Image": "nosuch"}),
    ("POST", "/containers/create?name=-", {"Image": "machine"}),
    ("POST", "/containers/create?name=bad", {"Image": "machine", "Cmd": ["nosuch"]}),
    ("POST", "/containers/bad/start", None),
    ("GET", "/containers/bad/json", None),
    ("DELETE", "/containers/bad", None),
    ("GET", "/networks?filters=%7B%22name%22%3A%5B%22%5Enone%24%22%5D%7D", None),
    ("GET", "/networks/bridge", None),
    ("POST", "/networks/create", {"Name": "n", "IPAM": SUBNET}),
    ("POST", "/networks/create", {"Name": "n", "CheckDuplicate": True}),
    ("GET", "/networks/n", None),
    ("POST", "/networks/create", {"Name": "o", "IPAM": SUBNET}),
    ("DELETE", "/networks/bridge", None),
    ("DELETE", "/networks/n", None),
    ("GET", "/networks/n", None),
    ("POST", "/volumes/create", {"Name": "vv", "Labels": {"x": "y"}}),
    ("GET", "/volumes", None),
    ("GET", "/volumes/none", None),
    ("DELETE", "/volumes/vv", None),
    ("DELETE", "/volumes/vv", None),
    ("GET", "/volumes", None),
    ("GET", "/images/none/json", None),
    ("POST", "/images/machine/tag?repo=x/y&tag=1", None),
    ("DELETE", "/images/x/y:1", None),
    ("DELETE", "/images/x/y:1", None),
    ("GET", "/system/df", None),
    ("GET", f"/containers/json?{FILTER}", None),
    ("GET", "/swarm", None),
    ("GET", "/nodes", None),
    ("POST", "/swarm/leave", None),
    ("GET", "/plugins", None),
    ("GET", "/nothing", None),
    ("POST", "/containers/prune", None),
    ("POST", "/images/prune", None),
    ("POST", "/volumes/prune", None),
    ("POST", "/networks/prune", None),
    ("POST", "/build/prune", None),
]

# A pattern of what a line of `differences` may be, of which answers (by the path's beginning).
EXPLAINED = [
    # What the two engines are, and what they are made of.
    ("/info", ".*Commit.*", "Docker's parts: containerd, runc and tini are not in use"),
    ("/info", ".Runtimes*", "crun is the runtime"),
    ("/info", ".DefaultRuntime*", "crun is the runtime"),
    ("/info", ".InitBinary*", "Docker's init is not in use"),
    ("/info", ".ID*", "made in another way"),
    ("/info", ".ServerVersion*", "a program of its own"),
    ("/info", ".DriverStatus*", "metacopy is told of since Docker 23"),
    ("/info", ".Plugins*", "these are the drivers there are"),
    ("/info", ".RegistryConfig*", "newer engines trust ::1 too and have no such lists any more"),
    ("/info", ".LiveRestoreEnabled*", "containers always outlive the engine"),
    ("/info", ".N[FG]*", "counts of Go's runtime"),
    ("/info", ".Images*", "counted in another way"),
    ("/info", ".KernelMemory*", "gone from the kernel; gone from the API in 1.42"),
    ("/info", ".BridgeNf*", "always false since 1.48: bridged packets are not passed to iptables"),
    ("/info", ".CDISpecDirs*", "newer than Docker 20.10"),
    ("/info", ".OSVersion*", "not told"),
    ("/info", ".SecurityOptions*", "the name since Docker 23"),
    ("/version", "*", "a program of its own"),
    ("/images/machine/json", ".DockerVersion*", "no Docker made it"),
    ("/images/machine/json", ".GraphDriver.Data*", "an image is not mounted by itself"),
    ("/", "*RepoDigests*", "an empty list since Docker 23, null before"),
    # Containers.
    ("/containers", "*CgroupnsMode*", "private with both generations of control groups"),
    ("/containers", "*NetworkMode: 'bridge', Docker has 'default'", "named since Docker 26"),
    (
        "/containers",
        "*.MaskedPaths*",
        "/proc/interrupts and power are masked, too, as since Docker 25",
    ),
    ("/containers", "*.Runtime: 'crun'*", "crun is the runtime"),
    ("/containers", "*.RestartPolicy.Name: 'no'*", "the default's name"),
    ("/containers", "*.Sandbox*", "there is one only while it runs"),
    ("/containers", "*.IPPrefixLen*", "the default bridge is a /20, Docker's a /16"),
    ("/containers", "*Ports*: 1 items, Docker has 2", "published on the loopback unless said"),
    ("/containers", "*.State.Error*", "the runtime's name in the sentence"),
    ("/containers/one/stats", ".*", "numbers of another moment, and of a newer kernel"),
    # Networks and volumes.
    ("/networks", "*.Gateway*", "told also where it was chosen by the engine, as since Docker 25"),
    ("/networks", "*.com.docker.network.bridge.*", "another bridge, of ports on the loopback"),
    ("/system/df", ".BuildCache*", "an empty list, not null"),
    ("/system/df", ".LayersSize*", "counted in another way"),
    ("/build/prune", "*", "an empty cache"),
]


def explained(path: str, difference: str) -> bool:
    return any(
        path.startswith(begin) and fnmatchcase(difference, pattern)
        for begin, pattern, _ in EXPLAINED
    )


def compared(path: str, ours: Answer, theirs: Answer) -> Iterator[str]:
    if ours.status != theirs.status:
        yield f"status {ours.status}, Docker has {theirs.status}: {ours.data!r}, {theirs.data!r}"
    elif ours.status >= 400:
        # The words of messages changed from version to version of Docker as well.
        if ours.tree.keys() != theirs.tree.keys():
            yield f"{ours.tree}, Docker has {theirs.tree}"
    elif ours.data or theirs.data:
        yield from differences(ours.tree, theirs.tree)


@pytest.fixture(scope="module")
def sampan(unused_sampan: RunningEngine) -> RunningEngine:
    return unused_sampan


def test_answers_have_the_same_shape(sampan: RunningEngine, docker: RunningEngine) -> None:
    left = []
    for method, path, body in STEPS:
        ours, theirs = (engine.ask(method, V + path, body) for engine in (sampan, docker))
        left += [
            f"{method} {path} {difference}"
            for difference in compared(path, ours, theirs)
            if not explained(path, difference)
        ]
    assert not left, "\n".join(left)


def test_the_same_things_happen(sampan: RunningEngine, docker: RunningEngine) -> None:
    for engine in (sampan, docker):
        engine.ask("POST", V + "/containers/create?name=told", CREATION)
        engine.ask("POST", V + "/containers/told/start")
        engine.ask("POST", V + "/containers/told/kill")
        engine.ask("POST", V + "/containers/told/wait")
        engine.ask("DELETE", V + "/containers/told?v=1")
    filters = json.dumps({"container": ["told"], "type": ["container"]}).replace('"', "%22")
    told = []
    for engine in (sampan, docker):
        query = f"since=1&until={time.time():.9f}&filters={filters.replace(' ', '')}"
        told.append(engine.ask("GET", f"{V}/events?{query}").lines)
    ours, theirs = told
    assert [one["Action"] for one in ours] == [one["Action"] for one in theirs]
    for one, other in zip(ours, theirs, strict=True):
        found = [line for line in differences(one, other) if "execDuration" not in line]
        assert not found, one["Action"]


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (("run", "--rm", "machine", "sh", "-c", "echo out; echo err >&2; exit 7"), ""),
        (("run", "--rm", "-i", "machine", "cat"), "input"),
        (("run", "--rm", "machine", "nosuch"), ""),
        (("run", "--rm", "machine", "/etc"), ""),
        (("run", "--rm", "nosuch-image-there"), ""),
        (("run", "--rm", "-e", "A=b", "-w", "/tmp", "machine", "sh", "-c", "echo $A $PWD"), ""),
        (("inspect", "nosuch"), ""),
        (("logs", "nosuch"), ""),
        (("volume", "rm", "nosuch"), ""),
        (("network", "rm", "nosuch"), ""),
        (("ps", "--filter", "status=exited", "-q"), ""),
    ],
)
def test_the_command_line_ends_alike(
    sampan: RunningEngine, docker: RunningEngine, words: tuple[str, ...], stdin: str
) -> None:
    ours, theirs = (engine.command(*words, stdin=stdin) for engine in (sampan, docker))
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout), ours.stderr
    assert bool(ours.stderr) == bool(theirs.stderr)
