"""Commands of Docker's typed at an engine, and what they say, without what is another each time."""

import difflib
import re
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines import IMAGE, RunningEngine

SECONDS = 60
# In this order; what is told in a table loses its width, too.
_VOLATILE = (
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<id>"),
    (r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "<mac>"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d| [+-]\d{4} \w+)", "<time>"),
    (r"\b(?:Less than a second|About an? \w+|\d+ (?:second|minute|hour)s?)", "<duration>"),
    (r"(?<![\w.])(?!0B)\d+(?:\.\d+)?(?:e[+-]\d+)? ?[kKMGT]?i?B\b", "<size>"),
    (r"\b\d+\.\d+%", "<percent>"),
    (r"\b172\.\d+\.\d+\.\d+(?:/\d+)?", "<address>"),
    (r"[ \t]{2,}", "  "),
    (r" +$", ""),
    # The client of 20.10 says this when it is quicker than the engine.
    (r'time="<time>" level=error msg="error waiting for container: context canceled"\n', ""),
)
_VOLATILE_PATTERNS = [(re.compile(pattern, re.MULTILINE), word) for pattern, word in _VOLATILE]


@dataclass(frozen=True)
class Said:
    """How a command ended, and its lines as they are compared."""

    code: int
    stdout: tuple[str, ...]
    stderr: tuple[str, ...]


class CommandLine:
    """One of Docker's clients in a folder of its own, pointed at `engine`."""

    def __init__(self, program: str, engine: RunningEngine, folder: Path) -> None:
        self._program = program
        self._engine = engine
        self._folder = folder
        self._begun = ""
        folder.mkdir()

    def run(self, line: str) -> Said:
        """`line` is as in `command_script`."""
        words = shlex.split(line.replace("BEGUN", self._begun))
        sign, name = ("", "") if words[-2:-1] not in (["<"], [">"]) else words[-2:]
        source = (self._folder / name).read_bytes() if sign == "<" else b""
        done = subprocess.run(
            [self._program, *(words[:-2] if sign else words)],
            input=source,
            env=self._engine.environment() | {"HOME": str(self._folder)},
            cwd=self._folder,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        if sign == ">":
            (self._folder / name).write_bytes(done.stdout)
        stdout = b"" if sign == ">" else done.stdout
        # Docker's sentences begin with small letters since 23.
        errors = tuple(line.lower() for line in self._lines(done.stderr))
        return Said(done.returncode, self._lines(stdout), errors)

    def _lines(self, data: bytes) -> tuple[str, ...]:
        text = data.decode(errors="replace").replace(str(self._folder), "<folder>")
        for pattern, word in _VOLATILE_PATTERNS:
            text = pattern.sub(word, text)
        return tuple(text.split("\n"))

    def provide(self, files: dict[str, str]) -> None:
        """The image and the files that a group of commands begins with."""
        if self._engine.ask("GET", f"/v1.41/images/{IMAGE}/json").status != 200:
            self._engine.provide_image()
        self._begun = f"{time.time():.9f}"
        for name, text in files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def clear(self) -> None:
        """Take away all that a group of commands has left in the engine."""
        for container in self._engine.ask("GET", "/v1.41/containers/json?all=1").tree:
            self._engine.ask("DELETE", f"/v1.41/containers/{container['Id']}?force=1&v=1")
        for kind in ("networks", "volumes", "images"):
            every = "?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D" if kind == "images" else ""
            self._engine.ask("POST", f"/v1.41/{kind}/prune{every}")
        self._engine.ask("POST", "/v1.41/build/prune?all=1")


def differences(ours: Said, theirs: Said, *, errors: bool = True) -> Iterator[str]:
    """`exit code: …`, and the lines that one has alone: `- …` Docker's, `+ …` ours."""
    if ours.code != theirs.code:
        yield f"exit code: {ours.code}, not {theirs.code}"
    yield from _of_lines(ours.stdout, theirs.stdout)
    if errors:
        yield from _of_lines(ours.stderr, theirs.stderr)
    elif any(ours.stderr) != any(theirs.stderr):
        yield f"error output: {ours.stderr}, not {theirs.stderr}"


def _of_lines(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[str]:
    if ours != theirs and sorted(ours) == sorted(theirs):
        yield "order of the lines"
        return
    for line in difflib.unified_diff(theirs, ours, n=0, lineterm=""):
        if not line.startswith(("---", "+++", "@@")):
            yield f"{line[0]} {line[1:]}"
