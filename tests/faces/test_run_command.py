"""The options of `sampan run`."""

import pytest

from sampan.faces.cli.run_command import UsageError, parse


def test_options_before_the_image_and_the_command_after_it() -> None:
    wanted = parse(
        [
            *("-it", "--rm", "-e", "A=1", "-eB", "--name=x", "-m", "64m", "--cpus", "0.5"),
            *("-v", "/a:/b:ro", "image", "sh", "-c", "exit 3"),
        ],
        {"B": "2"},
    )
    assert wanted == {
        "interactive": True,
        "terminal": True,
        "removed_at_end": True,
        "environment": {"A": "1", "B": "2"},
        "name": "x",
        "limits": {"memory": 64 << 20, "cpu_quota": 50_000},
        "mounts": [{"source": "/a", "target": "/b", "read_only": True}],
        "image": "image",
        "command": ["sh", "-c", "exit 3"],
    }


def test_help_is_no_run() -> None:
    assert parse(["--help"], {}) is None


@pytest.mark.parametrize(
    "words",
    [[], ["-d"], ["--nosuch", "x"], ["-m", "much", "x"], ["--name"], ["-v", "/a", "x"]],
)
def test_what_cannot_be_understood(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse(words, {})
