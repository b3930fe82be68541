"""COPY and ADD: which files, from where, to where, as whose. Pure.

The copying itself is `copying`'s. Source: the Dockerfile reference, "COPY" and "ADD".
"""

import posixpath
import re

import msgspec

from sampan.engine.build.dockerfile import Instruction
from sampan.engine.build.errors import BuildFailed, InvalidDockerfile
from sampan.engine.build.file_mode import FileMode, parse_file_mode
from sampan.engine.build.metadata import Scope, check_flags, working_folder
from sampan.engine.images.documents import ExecutionConfiguration

_URL = re.compile(r"https?://", re.IGNORECASE)
_GIT = re.compile(r"git@|ssh://|git://|https?://[^?#]*\.git(?:[#?]|$)", re.IGNORECASE)
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


class InlineFile(msgspec.Struct, frozen=True):
    """A file that stands in the Dockerfile itself."""

    name: str
    content: bytes


class CopyStep(msgspec.Struct, frozen=True, kw_only=True):
    """`origin` is a stage or image, "" the context; `shown` is the destination as it is written,
    `folder_wanted` that it must be a folder. `unpacks` is None for "local archives alone"."""

    line: int
    name: str
    origin: str = ""
    sources: tuple[str, ...]
    urls: tuple[str, ...] = ()
    files: tuple[InlineFile, ...] = ()
    destination: str
    shown: str
    folder_wanted: bool
    owner: str = ""
    mode: FileMode | None = None
    links: bool = False
    keeps_parents: bool = False
    excluded: tuple[str, ...] = ()
    checksum: str = ""
    unpacks: bool | None = None

    def fail(self, message: str) -> BuildFailed:
        return BuildFailed(f"{self.name} failed: {message}", self.line)


def parse_copy(
    instruction: Instruction, execution: ExecutionConfiguration, scope: Scope
) -> CopyStep:
    """Raises InvalidDockerfile, BuildFailed."""
    name, line = instruction.name, instruction.line
    *sources, destination = check_copy(instruction, scope)
    files = {heredoc.name: heredoc for heredoc in instruction.heredocs}
    inline = [source for source in sources if _heredoc_name(source) in files]
    plain = [source for source in sources if source not in inline]
    urls = tuple(source for source in plain if name == "ADD" and _is_remote(source))
    folder_wanted = destination.endswith(("/", "/.")) or destination == "."
    if len(sources) > 1 and not folder_wanted:
        raise BuildFailed(
            f"When using {name} with more than one source file, the destination must be a "
            "directory and end with a /",
            line,
        )
    chmod = scope.expand(instruction.flag("chmod"), line)
    step = CopyStep(
        line=line,
        name=name,
        origin=scope.expand(instruction.flag("from"), line),
        sources=tuple(source for source in plain if source not in urls),
        urls=urls,
        files=tuple(_inline(instruction, _heredoc_name(source), scope) for source in inline),
        destination=working_folder(execution, destination),
        shown=destination,
        folder_wanted=folder_wanted,
        owner=scope.expand(instruction.flag("chown"), line),
        mode=parse_file_mode(chmod, line) if chmod else None,
        links=instruction.is_set("link"),
        keeps_parents=instruction.is_set("parents"),
        excluded=tuple(
            scope.expand(pattern, line) for pattern in instruction.flag_values("exclude")
        ),
        checksum=scope.expand(instruction.flag("checksum"), line),
        unpacks=instruction.is_set("unpack") if instruction.flag_values("unpack") else None,
    )
    _check(step)
    return step


def check_copy(instruction: Instruction, scope: Scope) -> list[str]:
    """The sources, and at last the destination. Raises InvalidDockerfile, BuildFailed."""
    check_flags(instruction)
    listed = instruction.json_form()
    if listed is None:
        listed = scope.words(instruction)
    else:
        listed = [scope.expand(text, instruction.line) for text in listed]
    if not listed:
        raise InvalidDockerfile(
            f"{instruction.name} requires at least one argument", instruction.line
        )
    if len(listed) == 1:
        raise InvalidDockerfile(
            f"{instruction.name} requires at least two arguments, but only one was provided. "
            "Destination could not be determined",
            instruction.line,
        )
    return listed


def _heredoc_name(source: str) -> str:
    return source.removeprefix("<<").removeprefix("-") if source.startswith("<<") else ""


def _inline(instruction: Instruction, name: str, scope: Scope) -> InlineFile:
    heredoc = next(one for one in instruction.heredocs if one.name == name)
    text = heredoc.text
    if heredoc.expands:
        text = scope.expand_text(text, instruction.line)
    return InlineFile(name, text.encode("utf-8", "surrogateescape"))


def is_git(url: str) -> bool:
    """Whether a URL names a git repository."""
    return bool(_GIT.match(url))


def _is_remote(source: str) -> bool:
    return bool(_URL.match(source)) or is_git(source)


def _check(step: CopyStep) -> None:
    for url in step.urls:
        if is_git(url):
            raise step.fail(
                f"{url[:100]} is a git repository: clone it into the context, or give the URL of "
                "an archive"
            )
    if step.checksum:
        if not _CHECKSUM.fullmatch(step.checksum):
            raise InvalidDockerfile(
                f"unsupported checksum {step.checksum[:80]}: it is sha256: and 64 digits", step.line
            )
        if len(step.urls) != 1 or step.sources or step.files:
            raise step.fail("checksum can't be specified unless there is one URL as source")
    for source in step.sources:
        if not step.origin and ".." in posixpath.normpath(source.lstrip("/")).split("/"):
            raise step.fail(f"forbidden path outside the build context: {source[:100]} ()")
