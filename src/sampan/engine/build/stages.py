"""A Dockerfile's stages: which there are, what each starts from, which are needed. Pure."""

from collections.abc import Mapping

import msgspec

from sampan.engine.build.dockerfile import Dockerfile, Instruction
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.expansion import assignments, expand, words

SCRATCH = "scratch"


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """`base` is `scratch`, the name of an image, or of an earlier stage."""

    number: int
    name: str
    base: str
    line: int
    instructions: tuple[Instruction, ...]


class Stages(msgspec.Struct, frozen=True):
    """`arguments` are those that stand before the first FROM."""

    stages: tuple[Stage, ...]
    arguments: dict[str, str]

    def find(self, name: str, before: int) -> Stage | None:
        """The stage of a name or number among those before another."""
        for stage in reversed(self.stages[:before]):
            if name.lower() == stage.name or name == str(stage.number):
                return stage
        return None

    def needed(self, target: str) -> list[Stage]:
        """The stages to be built for a target ("" is the last), in order. Raises BuildFailed."""
        last = self.find(target, len(self.stages)) if target else self.stages[-1]
        if last is None:
            raise BuildFailed(f"there is no stage {target!r}")
        wanted = {last.number}
        for stage in reversed(self.stages[: last.number + 1]):
            if stage.number in wanted:
                wanted.update(self._uses(stage))
        return [stage for stage in self.stages if stage.number in wanted]

    def _uses(self, stage: Stage) -> set[int]:
        names = [stage.base] + [
            instruction.flags["from"]
            for instruction in stage.instructions
            if "from" in instruction.flags
        ]
        found = (self.find(name, stage.number) for name in names)
        return {used.number for used in found if used is not None}


def split_stages(dockerfile: Dockerfile, build_arguments: Mapping[str, str]) -> Stages:
    """Raises BuildFailed."""
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    for instruction in dockerfile.instructions:
        if instruction.name == "FROM":
            stages.append(_stage(instruction, len(stages), arguments, dockerfile.escape))
        elif stages:
            last = stages[-1]
            stages[-1] = msgspec.structs.replace(
                last, instructions=(*last.instructions, instruction)
            )
        elif instruction.name == "ARG":
            arguments |= declared_arguments(
                instruction, build_arguments, arguments, dockerfile.escape
            )
        else:
            raise BuildFailed(f"{instruction.name} stands before the first FROM", instruction.line)
    if not stages:
        raise BuildFailed("the Dockerfile has no FROM")
    return Stages(tuple(stages), arguments)


def declared_arguments(
    instruction: Instruction,
    given: Mapping[str, str],
    variables: Mapping[str, str],
    escape: str,
) -> dict[str, str]:
    """The values of an ARG instruction: as given to the build, or else its defaults."""
    found: dict[str, str] = {}
    for word in words(instruction.text, {}, escape, instruction.line):
        name = word.partition("=")[0]
        if name in given:
            found[name] = given[name]
    if "=" in instruction.text:
        defaults = assignments(instruction.text, variables, escape, instruction.line)
        found = defaults | found
    return found


def _stage(
    instruction: Instruction, number: int, arguments: Mapping[str, str], escape: str
) -> Stage:
    if instruction.flags.keys() - {"platform"}:
        raise BuildFailed("FROM takes no flag but --platform", instruction.line)
    parts = instruction.text.split()
    match parts:
        case [base]:
            name = ""
        case [base, keyword, name] if keyword.upper() == "AS":
            name = name.lower()
        case _:
            raise BuildFailed("FROM wants an image, or IMAGE AS NAME", instruction.line)
    return Stage(
        number=number,
        name=name,
        base=expand(base, arguments, escape, instruction.line),
        line=instruction.line,
        instructions=(),
    )
