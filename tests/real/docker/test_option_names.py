"""Each option that docker's commands have, ours have: what people's fingers know works."""

import os
import re
import shutil
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("docker") is None, reason="needs Docker's command line"),
]

_WORDS = """
run; create; ps; start; stop; restart; kill; pause; unpause; rm; exec; attach; logs; top; stats;
port; diff; wait; rename; inspect; commit; export; images; pull; push; tag; rmi; history; save;
load; import; cp; login; logout; update; version; info; events; build; network create; network ls;
network rm; network inspect; network prune; network connect; network disconnect; volume create;
volume ls; volume rm; volume inspect; volume prune; system df; system prune; builder prune;
container ls; container prune; image ls; image prune; image inspect
"""
COMMANDS = [tuple(words.split()) for words in _WORDS.split(";")]
WINDOWS = "Windows alone"
SWARM = "an engine in a swarm"
SIGNING = "a service of signatures that is no more"
# Options that are not there, by command ("" for any), and why.
ABSENT = {
    ("", "--disable-content-trust"): SIGNING,
    ("", "--platform"): "of several platforms of an image one is here",
    ("", "--kernel-memory"): "the kernel has no such limit any more",
    ("run", "--cpu-count"): WINDOWS,
    ("run", "--cpu-percent"): WINDOWS,
    ("run", "--io-maxbandwidth"): WINDOWS,
    ("run", "--io-maxiops"): WINDOWS,
    ("run", "--use-api-socket"): "an experiment",
    ("start", "--checkpoint"): "checkpoints",
    ("start", "--checkpoint-dir"): "checkpoints",
    ("rm", "--link"): "links end with their containers",
    ("rm", "-l"): "links end with their containers",
    ("images", "--tree"): "an experiment",
    ("image ls", "--tree"): "an experiment",
    ("version", "--kubeconfig"): "Docker's own Kubernetes",
    ("build", "--compress"): "taken, and not shown: contexts stay on this machine",
    ("network create", "--config-from"): SWARM,
    ("network create", "--config-only"): SWARM,
    ("network create", "--ingress"): SWARM,
    ("network create", "--scope"): SWARM,
    ("network create", "--ipv4"): "every network has it",
    ("network inspect", "--verbose"): SWARM,
    ("network inspect", "-v"): SWARM,
    ("volume ls", "--cluster"): SWARM,
    **{
        ("volume create", name): SWARM
        for name in (
            *("--availability", "--group", "--limit-bytes", "--required-bytes", "--scope"),
            *("--secret", "--sharing", "--topology-preferred", "--topology-required", "--type"),
        )
    },
}
ABSENT |= {("create", name): why for (command, name), why in ABSENT.items() if command == "run"}
_LISTED = re.compile(r"^\s+(?:(-\w), )?(--[a-z0-9-]+)", re.MULTILINE)


def _help(*command: str) -> str:
    answer = subprocess.run(
        [*command, "--help"],
        env=os.environ | {"DOCKER_BUILDKIT": "0"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return answer.stdout


def _options_of_docker(text: str) -> set[str]:
    return {name for found in _LISTED.findall(text) for name in found if name} - {"--help"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_options_are_docker_s(command: tuple[str, ...]) -> None:
    theirs = _options_of_docker(_help("docker", *command))
    page = _help(sys.executable, "-m", "sampan", *command)
    ours = {*re.findall(r"--[a-z0-9-]+", page), *re.findall(r"(?<![\w-])-\w(?![\w-])", page)}
    name = " ".join(command)
    unexplained = {it for it in theirs - ours if not ({(name, it), ("", it)} & ABSENT.keys())}
    assert not unexplained
