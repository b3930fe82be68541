"""From a request and its context to what is to be built: the Dockerfile read and numbered.

Reads the Dockerfile and its .dockerignore; nothing is built here.
"""

import posixpath
import shlex
from pathlib import Path

import msgspec

from sampan.engine.build.arguments import DATE_ARGUMENT, platform_arguments
from sampan.engine.build.contract import BuildRequest, Step
from sampan.engine.build.dockerfile import (
    SIZE_LIMIT,
    Dockerfile,
    Instruction,
    parse_dockerfile,
)
from sampan.engine.build.named_contexts import with_contexts
from sampan.engine.build.patterns import IgnoreRule, parse_ignore_rules
from sampan.engine.build.stages import Stage, Stages, split_stages
from sampan.engine.build.syntax import check_syntax
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import Platform
from sampan.engine.images.platforms import machine_platform, parse_platform, platform_text
from sampan.host import paths

_NAME = "Dockerfile"
_WITH_FILES = ("FROM", "RUN", "COPY", "ADD", "WORKDIR")


class BuildPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`latest` is SOURCE_DATE_EPOCH, None when it is not set; `steps` are of the declarations
    before the first stage (number -1) and of each needed stage, in order."""

    request: BuildRequest
    context: Path
    dockerfile: Dockerfile
    stages: Stages
    needed: tuple[Stage, ...]
    target: Stage
    automatic: dict[str, str]
    given: dict[str, str | None]
    ignored: tuple[IgnoreRule, ...]
    latest: int | None
    machine: Platform
    platform: Platform
    steps: dict[int, tuple[Step, ...]]


def read_plan(request: BuildRequest, context: Path, wanted: str = "") -> BuildPlan:
    """For a platform, "" being the machine's. Blocks.

    Raises BuildFailed, InvalidConfiguration, OSError.
    """
    name, content = _dockerfile(request, context)
    dockerfile = parse_dockerfile(content)
    check_syntax(dockerfile)
    machine = machine_platform()
    platform = parse_platform(wanted) if wanted else machine
    shown = platform_text(platform) if len(request.platforms) > 1 else ""
    automatic = platform_arguments(machine, platform, request.target)
    given = {key: value for key, value in request.build_arguments.items() if value is not None}
    stages = with_contexts(
        split_stages(dockerfile, given, automatic), request.named_contexts, request.named_images
    )
    target = stages.target(request.target)
    needed = tuple(_with_labels(stages.needed(target), target, request.labels))
    return BuildPlan(
        request=request,
        context=context,
        dockerfile=dockerfile,
        stages=stages,
        needed=needed,
        target=needed[-1],
        automatic=automatic,
        given=dict(given),
        ignored=parse_ignore_rules(_ignore_file(context, name)),
        latest=_date(request.build_arguments.get(DATE_ARGUMENT) or ""),
        machine=machine,
        platform=platform,
        steps=_steps(stages, needed, shown),
    )


def _dockerfile(request: BuildRequest, context: Path) -> tuple[str, str]:
    name = posixpath.normpath(request.dockerfile or _NAME).lstrip("/")
    if name.startswith("../"):
        raise InvalidConfiguration(
            f"forbidden path outside the build context: {request.dockerfile} ()"
        )
    if request.dockerfile_content is not None:
        data: bytes | None = request.dockerfile_content
    else:
        candidates = [name] if request.dockerfile else [name, _NAME.lower()]
        found = (_read(context, candidate) for candidate in candidates)
        data = next((data for data in found if data is not None), None)
    if data is None:
        raise InvalidConfiguration(f"Cannot locate specified Dockerfile: {name}")
    if len(data) > SIZE_LIMIT:
        raise InvalidConfiguration(f"the Dockerfile ({name}) has more than {SIZE_LIMIT} bytes")
    if not data:
        raise InvalidConfiguration(f"the Dockerfile ({name}) cannot be empty")
    return name, data.decode(errors="surrogateescape")


def _read(context: Path, name: str) -> bytes | None:
    with paths.opened_folder(context) as root:
        try:
            return paths.read_in_root(root, name, SIZE_LIMIT + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None


def _ignore_file(context: Path, dockerfile: str) -> str:
    own = _read(context, f"{dockerfile}.dockerignore")
    data = own if own is not None else _read(context, ".dockerignore")
    return (data or b"").removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")


def _date(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise InvalidConfiguration(f"invalid {DATE_ARGUMENT}: {text[:40]}")
    return int(text)


def _with_labels(needed: list[Stage], target: Stage, labels: dict[str, str]) -> list[Stage]:
    """Labels of the request are further instructions of the target."""
    more = (
        Instruction(
            line=target.start.line,
            name="LABEL",
            text=f"{shlex.quote(key)}={shlex.quote(value)}",
            original=f"LABEL {key}={value}",
        )
        for key, value in sorted(labels.items())
    )
    labelled = msgspec.structs.replace(target, instructions=(*target.instructions, *more))
    return [labelled if stage.number == target.number else stage for stage in needed]


def _steps(stages: Stages, needed: tuple[Stage, ...], platform: str) -> dict[int, tuple[Step, ...]]:
    groups: list[tuple[int, str, tuple[Instruction, ...]]] = [(-1, "", stages.declarations)]
    groups += [(stage.number, stage.label, (stage.start, *stage.instructions)) for stage in needed]
    total = sum(len(instructions) for _, _, instructions in groups)
    steps: dict[int, tuple[Step, ...]] = {}
    number = 0
    for key, label, instructions in groups:
        made: list[Step] = []
        place, places = 0, sum(one.name in _WITH_FILES for one in instructions)
        for instruction in instructions:
            number += 1
            place += instruction.name in _WITH_FILES
            made.append(
                Step(
                    number=number,
                    total=total,
                    stage=label,
                    place=place,
                    places=places,
                    has_siblings=len(stages.stages) > 1,
                    platform=platform,
                    line=instruction.line,
                    text=instruction.original,
                    name=instruction.name,
                    inputs=(made[-1].number,) if made else (),
                )
            )
        steps[key] = tuple(made)
    return steps
