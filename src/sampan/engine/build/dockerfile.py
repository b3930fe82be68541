"""Reading a Dockerfile: lines joined, comments and directives taken out, instructions split.

What instructions mean is not known here. Source: the Dockerfile reference, "Format", "Parser
directives" and "Here-Documents"; error texts are those that Docker's users know.
"""

import difflib
import re
from collections.abc import Iterator

import msgspec

from sampan.engine.build.errors import InvalidDockerfile
from sampan.engine.build.heredoc import Heredoc, announced, take_content

SIZE_LIMIT = 2 << 20
INSTRUCTIONS = frozenset(
    (
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
        *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME"),
        "WORKDIR",
    )
)
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_DIRECTIVES = ("syntax", "escape", "check")
_HOLD_HEREDOCS = ("ADD", "COPY", "RUN")
_BYTE_ORDER_MARK = "\ufeff"

Flags = tuple[tuple[str, str | None], ...]


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is in upper case, `original` the joined lines, `text` what follows the flags.

    A flag without a value, as in `--link`, has None.
    """

    line: int
    end: int = 0
    name: str
    text: str
    original: str = ""
    flags: Flags = ()
    heredocs: tuple[Heredoc, ...] = ()

    def json_form(self) -> list[str] | None:
        """The list of a JSON form like `["a", "b"]`; None when it is not one."""
        if not self.text.startswith("["):
            return None
        try:
            return msgspec.json.decode(self.text, type=list[str])
        except (msgspec.DecodeError, RecursionError):
            return None

    def flag(self, name: str) -> str:
        """The last value of a flag, "" when it isn't there."""
        values = [value or "" for flag, value in self.flags if flag == name]
        return values[-1] if values else ""

    def flag_values(self, name: str) -> list[str]:
        return [value or "" for flag, value in self.flags if flag == name]

    def is_set(self, name: str) -> bool:
        """A flag that says yes or no. Raises InvalidDockerfile for anything else."""
        values = [value for flag, value in self.flags if flag == name]
        if not values:
            return False
        if values[-1] in (None, "true"):
            return True
        if values[-1] != "false":
            raise InvalidDockerfile(
                f"expecting boolean value for flag {name}, not: {values[-1]}", self.line
            )
        return False


class Dockerfile(msgspec.Struct, frozen=True):
    """`warnings` are of lines that are read, but will not be for ever."""

    escape: str
    instructions: tuple[Instruction, ...]
    directives: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


def parse_dockerfile(text: str) -> Dockerfile:
    """Raises InvalidDockerfile with the line."""
    lines = text.removeprefix(_BYTE_ORDER_MARK).split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    directives = _read_directives(lines)
    escape = directives.get("escape", "\\")
    reader = _Reader(lines, escape)
    instructions = tuple(reader.instructions())
    if not instructions:
        raise InvalidDockerfile("file with no instructions")
    if reader.warnings:
        reader.warnings.append("Empty continuation lines will become errors in a future release.")
    return Dockerfile(escape, instructions, directives, tuple(reader.warnings))


def parse_instruction(text: str, escape: str, line: int) -> Instruction:
    """One instruction in one line. Raises InvalidDockerfile."""
    name, rest = _split_name(text)
    if name not in INSTRUCTIONS:
        raise InvalidDockerfile(f"unknown instruction: {name[:60]}{_suggestion(name)}", line)
    flags, rest = _take_flags(rest, escape, line)
    return Instruction(line=line, end=line, name=name, text=rest, original=text, flags=flags)


class _Reader:
    def __init__(self, lines: list[str], escape: str) -> None:
        self._numbered = enumerate(lines, 1)
        self._escape = escape
        self._continued = re.compile(rf"(?:^|[^{re.escape(escape)}]){re.escape(escape)}[ \t]*$")
        self._number = 0
        self.warnings: list[str] = []

    def instructions(self) -> Iterator[Instruction]:
        while (found := self._logical_line()) is not None:
            text, start = found
            instruction = parse_instruction(text, self._escape, start)
            heredocs = tuple(self._heredocs(instruction))
            yield msgspec.structs.replace(instruction, end=self._number, heredocs=heredocs)

    def _lines(self) -> Iterator[str]:
        for number, line in self._numbered:
            self._number = number
            yield line

    def _logical_line(self) -> tuple[str, int] | None:
        text, start, has_gap = "", 0, False
        for raw in self._lines():
            if raw.lstrip().startswith("#"):
                continue
            if not raw.strip():
                has_gap = has_gap or bool(start)
                continue
            line = raw if start else raw.lstrip()
            start = start or self._number
            if self._continued.search(line):
                text += line.rstrip(" \t")[: -len(self._escape)]
                continue
            text += line
            break
        if has_gap:
            self.warnings.append(f"Empty continuation line found in:\n    {text.strip()[:200]}")
        return (text.strip(), start) if text.strip() else None

    def _heredocs(self, instruction: Instruction) -> Iterator[Heredoc]:
        name, text = instruction.name, instruction.text
        if name == "ONBUILD":
            name, text = _split_name(text)
        if name not in _HOLD_HEREDOCS or "<<" not in text:
            return
        for heredoc in announced(text):
            filled = take_content(heredoc, self._lines())
            if filled is None:
                raise InvalidDockerfile("unterminated heredoc", instruction.line)
            yield filled


def _read_directives(lines: list[str]) -> dict[str, str]:
    """Directives stand before everything else. Raises InvalidDockerfile."""
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if number == 1 and line.startswith("#!"):
            continue
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None or match[1].lower() not in _DIRECTIVES:
            break
        name = match[1].lower()
        if name in found:
            raise InvalidDockerfile(f"only one {name} parser directive can be used", number)
        if name == "escape" and match[2] not in ("\\", "`"):
            raise InvalidDockerfile(
                f"invalid escape token '{match[2][:20]}' does not match ` or \\", number
            )
        found[name] = match[2]
    return found


def _split_name(text: str) -> tuple[str, str]:
    name, *rest = text.split(maxsplit=1)
    return name.upper(), rest[0].strip() if rest else ""


def _suggestion(name: str) -> str:
    close = difflib.get_close_matches(name, sorted(INSTRUCTIONS), 1, 0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def _take_flags(text: str, escape: str, line: int) -> tuple[Flags, str]:
    """The flags at the start and what follows them; `--` alone ends them."""
    flags: list[tuple[str, str | None]] = []
    while text.startswith("--"):
        word, text = _take_word(text, escape)
        if word == "--":
            break
        name, equals, value = word[2:].partition("=")
        if not name:
            raise InvalidDockerfile(f"bad flag {word[:60]!r}", line)
        flags.append((name, value if equals else None))
    return tuple(flags), text


def _take_word(text: str, escape: str) -> tuple[str, str]:
    """The first word, quotes and escapes removed, and the rest."""
    word, quote, position = "", "", 0
    while position < len(text):
        letter = text[position]
        if letter == escape and position + 1 < len(text) and quote != "'":
            kept = "" if text[position + 1] in (quote, escape) or not quote else letter
            word += kept + text[position + 1]
            position += 2
            continue
        if quote == letter:
            quote = ""
        elif not quote and letter in "'\"":
            quote = letter
        elif not quote and letter.isspace():
            break
        else:
            word += letter
        position += 1
    return word, text[position:].lstrip()
