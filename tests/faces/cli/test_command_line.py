"""Commands are found by all of docker's names for them; what can't be read ends as with docker."""

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from sampan.faces.cli.engine import run_command
from sampan.faces.cli.main import sampan

NOWHERE = "nowhere"


def call(*words: str) -> Result:
    return CliRunner().invoke(sampan, ["--instance", NOWHERE, *words])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("nosuch", 1),
        ("container nosuch", 1),
        ("container", 0),
        ("--nosuch", 125),
        ("ps --nosuch", 125),
        ("exec --nosuch name command", 125),
        ("ps --last", 125),
        ("ps --last word", 125),
        ("stop", 1),
        ("network connect one", 1),
        ("images one two", 1),
        ("update name", 1),
        ("up --node-prefix East", 125),
        ("login", 1),
        ("cp one two", 1),
        ("cp one:/a two:/b", 1),
    ],
)
def test_wrong_words_and_wrong_options_have_docker_s_exit_codes(words: str, code: int) -> None:
    answer = call(*words.split())
    assert (answer.exit_code, bool(answer.stderr)) == (code, True)


@pytest.mark.parametrize("words", ["ps", "exec name true", "rm name", "cp name:/a -", "stats"])
def test_without_an_engine_commands_end_with_1(words: str) -> None:
    answer = call(*words.split())
    assert answer.exit_code == 1
    assert "no engine answers" in answer.stderr


@pytest.mark.parametrize(
    ("words", "code", "only_create"),
    [
        (["image"], 125, False),
        (["image"], 1, True),
        ([], 1, False),
        (["--nosuch", "image"], 125, False),
        (["--nosuch", "image"], 125, True),
    ],
)
def test_exit_codes_of_run_and_create(
    words: list[str], code: int, only_create: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command.main(NOWHERE, words, only_create=only_create) == code
    assert capsys.readouterr().err.startswith("sampan: ")


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("container list", "ps"),
        ("container ps", "ps"),
        ("container remove", "rm"),
        ("image list", "images"),
        ("image remove", "rmi"),
        ("builder build", "build"),
    ],
)
def test_aliases_are_the_commands_that_they_stand_for(alias: str, name: str) -> None:
    theirs, ours = call(*alias.split(), "--help"), call(name, "--help")
    assert theirs.exit_code == ours.exit_code == 0
    assert theirs.output.splitlines()[1:] == ours.output.splitlines()[1:]


@pytest.mark.parametrize(
    "alias", ["network list", "network remove", "volume list", "volume remove"]
)
def test_networks_and_volumes_have_aliases_too(alias: str) -> None:
    assert call(*alias.split(), "--help").exit_code == 0


@pytest.mark.parametrize(
    ("words", "begun", "expected"),
    [
        ([], "lo", {"load", "login", "logout", "logs"}),
        ([], "up", {"up", "update"}),
        (["builder"], "", {"build", "prune"}),
        (["system", "df"], "--v", {"--verbose"}),
        (["cp"], "--f", {"--follow-link"}),
        (["update"], "--restart", {"--restart"}),
        (["login"], "--pass", {"--password", "--password-stdin"}),
    ],
)
def test_words_of_commands_are_completed(words: list[str], begun: str, expected: set[str]) -> None:
    found = ShellComplete(sampan, {}, "sampan", "_SAMPAN_COMPLETE").get_completions(words, begun)
    assert {item.value for item in found} == expected
