"""A Dockerfile's stages: which there are, what each starts from, which are needed. Pure."""

import re
from collections.abc import Iterator, Mapping

import msgspec

from sampan.engine.build.arguments import declared
from sampan.engine.build.dockerfile import Dockerfile, Instruction
from sampan.engine.build.errors import BuildFailed, InvalidDockerfile
from sampan.engine.build.expansion import expand
from sampan.engine.build.metadata import check_flags

SCRATCH = "scratch"
_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_READS_STAGES = ("ADD", "COPY", "RUN")


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """`base` is `scratch`, the name of an image, or of an earlier stage; `start` is the FROM."""

    number: int
    name: str
    base: str
    platform: str
    start: Instruction
    instructions: tuple[Instruction, ...]

    @property
    def label(self) -> str:
        return self.name or str(self.number)


class Stages(msgspec.Struct, frozen=True):
    """`arguments` are the values of those that stand before the first FROM, `declarations` the
    instructions."""

    stages: tuple[Stage, ...]
    arguments: dict[str, str]
    declarations: tuple[Instruction, ...] = ()

    def find(self, name: str, before: int) -> Stage | None:
        """The stage of a name or number among those before another."""
        for stage in reversed(self.stages[:before]):
            if (stage.name and name.lower() == stage.name) or name == str(stage.number):
                return stage
        return None

    def target(self, name: str) -> Stage:
        """The stage to be built; "" is the last. Raises BuildFailed."""
        found = self.find(name, len(self.stages)) if name else self.stages[-1]
        if found is None:
            raise BuildFailed(f"failed to reach build target {name} in Dockerfile")
        return found

    def needed(self, target: Stage) -> list[Stage]:
        """The stages that a target stands upon and itself, in order."""
        wanted = {target.number}
        for stage in reversed(self.stages[: target.number + 1]):
            if stage.number in wanted:
                wanted.update(used.number for used in self.uses(stage))
        return [stage for stage in self.stages if stage.number in wanted]

    def uses(self, stage: Stage) -> Iterator[Stage]:
        """The earlier stages that a stage starts from or copies from."""
        names = [stage.base]
        for instruction in stage.instructions:
            names.extend(origins(instruction))
        for name in names:
            found = self.find(name, stage.number)
            if found is not None:
                yield found


def origins(instruction: Instruction) -> list[str]:
    """The stages or images that an instruction takes files from."""
    if instruction.name not in _READS_STAGES:
        return []
    mounts = (
        field.partition("=")[2]
        for mount in instruction.flag_values("mount")
        for field in mount.split(",")
        if field.startswith("from=")
    )
    return [*instruction.flag_values("from"), *mounts]


def split_stages(
    dockerfile: Dockerfile, given: Mapping[str, str | None], automatic: Mapping[str, str]
) -> Stages:
    """`automatic` are arguments that are there without being declared. Raises BuildFailed."""
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    declarations: list[Instruction] = []
    for instruction in dockerfile.instructions:
        if instruction.name == "FROM":
            stages.append(
                _stage(instruction, len(stages), {**automatic, **arguments}, dockerfile.escape)
            )
        elif stages:
            last = stages[-1]
            stages[-1] = msgspec.structs.replace(
                last, instructions=(*last.instructions, instruction)
            )
        elif instruction.name == "ARG":
            declarations.append(instruction)
            found = declared(
                instruction, given, automatic, {**automatic, **arguments}, dockerfile.escape
            )
            arguments |= {name: value for name, value in found.items() if value is not None}
        else:
            raise InvalidDockerfile("no build stage in current context", instruction.line)
    if not stages:
        raise InvalidDockerfile("no build stage in current context", 1)
    return Stages(tuple(stages), arguments, tuple(declarations))


def _stage(
    instruction: Instruction, number: int, variables: Mapping[str, str], escape: str
) -> Stage:
    line = instruction.line
    check_flags(instruction)
    match instruction.text.split():
        case [base]:
            name = ""
        case [base, keyword, name] if keyword.upper() == "AS":
            name = name.lower()
            if not _NAME.fullmatch(name):
                raise InvalidDockerfile(
                    f'invalid name for build stage: "{name[:80]}", name can\'t start with a '
                    "number or contain symbols",
                    line,
                )
        case _:
            raise InvalidDockerfile("FROM requires either one or three arguments", line)
    expanded = expand(base, variables, escape, line)
    if not expanded:
        raise BuildFailed(f"base name ({base[:80]}) should not be blank", line)
    return Stage(
        number=number,
        name=name,
        base=expanded,
        platform=expand(instruction.flag("platform"), variables, escape, line),
        start=instruction,
        instructions=(),
    )
