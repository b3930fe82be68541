"""One script of commands with Docker's own clients: on our engine and on Docker's (20.10) with the
client of that time, and on ours with a newer client. What they say and their exit codes are the
same but for what `command_differences` explains."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from command_differences import OF_CLIENTS, OF_ENGINES
from command_lines import CommandLine, Said, differences
from command_script import FILES, GROUPS
from engines import RunningEngine

OLD_CLIENT = "/usr/bin/docker"
NEW_CLIENT = shutil.which("docker") or ""
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not Path(OLD_CLIENT).exists(), reason="needs Debian's docker.io"),
]
Played = dict[str, list[Said]]
Explanations = Sequence[tuple[str, str, str]]


def commands(group: str) -> list[str]:
    return GROUPS[group].strip().splitlines()


def played(client: CommandLine) -> Played:
    """What all commands say, group by group."""
    said = {}
    for group in GROUPS:
        client.provide(FILES)
        said[group] = [client.run(line) for line in commands(group)]
        client.clear()
    return said


@pytest.fixture(scope="module")
def sampan(unused_sampan: RunningEngine) -> RunningEngine:
    return unused_sampan


@pytest.fixture(scope="module")
def scripts(
    sampan: RunningEngine, docker: RunningEngine, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Played]:
    """By who has played the script. The two engines do so at the same time."""
    folder = tmp_path_factory.mktemp("scripts")
    with ThreadPoolExecutor(1) as beside:
        on_docker = beside.submit(played, CommandLine(OLD_CLIENT, docker, folder / "docker"))
        said = {"sampan": played(CommandLine(OLD_CLIENT, sampan, folder / "sampan"))}
        if NEW_CLIENT != OLD_CLIENT:
            said["newer"] = played(CommandLine(NEW_CLIENT, sampan, folder / "newer"))
        return said | {"docker": on_docker.result()}


def unexplained(
    group: str, ours: Played, theirs: Played, explanations: Explanations, *, errors: bool
) -> list[str]:
    found = []
    for line, one, other in zip(commands(group), ours[group], theirs[group], strict=True):
        for difference in differences(one, other, errors=errors):
            if not is_explained(line, difference, explanations):
                found += [f"docker {line}", f"    {difference}"]
    return found


def is_explained(line: str, difference: str, explanations: Explanations) -> bool:
    return any(
        fnmatchcase(line, command) and fnmatchcase(difference, pattern)
        for command, pattern, _ in explanations
    )


@pytest.mark.parametrize("group", GROUPS)
def test_commands_end_on_our_engine_as_on_docker_s(scripts: dict[str, Played], group: str) -> None:
    left = unexplained(group, scripts["sampan"], scripts["docker"], OF_ENGINES, errors=True)
    assert not left, "\n" + "\n".join(left)


@pytest.mark.parametrize("group", GROUPS)
def test_commands_of_a_newer_client_end_alike(scripts: dict[str, Played], group: str) -> None:
    if "newer" not in scripts:
        pytest.skip("needs a second client of Docker's, newer than Debian's")
    left = unexplained(group, scripts["newer"], scripts["sampan"], OF_CLIENTS, errors=False)
    assert not left, "\n" + "\n".join(left)
