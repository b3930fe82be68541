"""Reading a Dockerfile: lines joined, comments and directives taken out, instructions split.

What instructions mean is not known here. Source: the Dockerfile reference, "Format" and
"Parser directives".
"""

import re

import msgspec

from sampan.engine.build.errors import BuildFailed

SIZE_LIMIT = 1 << 20
_DIRECTIVE = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(.*?)\s*")
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S*))?(?:\s+|$)")
_HEREDOC = re.compile(r"(?:^|\s)<<-?\s*[\"']?[A-Za-z_]")
_MAY_HOLD_HEREDOCS = ("RUN", "COPY")


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is in upper case; `text` is what follows the flags, as written."""

    line: int
    name: str
    text: str
    flags: dict[str, str] = {}

    def json_form(self) -> list[str] | None:
        """The list of a JSON form like `["a", "b"]`; None when it is not one."""
        if not self.text.startswith("["):
            return None
        try:
            return msgspec.json.decode(self.text, type=list[str])
        except msgspec.DecodeError:
            return None


class Dockerfile(msgspec.Struct, frozen=True):
    escape: str
    instructions: tuple[Instruction, ...]


def parse_dockerfile(text: str) -> Dockerfile:
    """Raises BuildFailed with the line."""
    lines = text.removeprefix("\ufeff").splitlines()
    escape = _escape_directive(lines)
    instructions = []
    logical, start = "", 0
    for number, raw in enumerate(lines, 1):
        if raw.lstrip().startswith("#") or (logical and not raw.strip()):
            continue
        line = raw if logical else raw.lstrip()
        start = start if logical else number
        stripped = line.rstrip()
        if stripped.endswith(escape):
            logical += stripped[: -len(escape)]
            continue
        logical += line
        if logical.strip():
            instructions.append(_instruction(logical.strip(), start))
        logical = ""
    if logical.strip():
        instructions.append(_instruction(logical.strip(), start))
    if not instructions:
        raise BuildFailed("the Dockerfile has no instructions")
    return Dockerfile(escape, tuple(instructions))


def _escape_directive(lines: list[str]) -> str:
    """Directives stand before everything else; only `escape` changes how the file is read."""
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match[1].lower() == "escape":
            if match[2] not in ("\\", "`"):
                raise BuildFailed(f"the escape directive can't be {match[2][:20]!r}", 1)
            return match[2]
    return "\\"


def _instruction(text: str, line: int) -> Instruction:
    name, _, rest = text.partition(" ") if " " in text else text.partition("\t")
    name, rest = name.upper(), rest.strip()
    if not name.isalpha():
        raise BuildFailed(f"{name[:40]!r} is not an instruction", line)
    flags: dict[str, str] = {}
    while (match := _FLAG.match(rest)) is not None:
        flags[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    if name in _MAY_HOLD_HEREDOCS and _HEREDOC.search(rest):
        raise BuildFailed("here-documents are not supported", line)
    return Instruction(line=line, name=name, text=rest, flags=flags)
