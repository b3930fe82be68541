"""What is wrong with an instruction whatever its variables stand for. Pure.

It is told before anything is built. What depends on values is told when a step's turn comes.
"""

from collections.abc import Iterator, Mapping

from sampan.engine.build import arguments
from sampan.engine.build.copy_step import check_copy
from sampan.engine.build.dockerfile import Dockerfile, Instruction
from sampan.engine.build.errors import BuildFailed, InvalidDockerfile
from sampan.engine.build.metadata import CHANGES, Scope, change_of, check_flags, required
from sampan.engine.images.documents import ExecutionConfiguration

_SOMETHING = "something"
# What they take is looked at only when variables have their values.
_LATER = ("EXPOSE", "STOPSIGNAL")


class _AnyVariables(Mapping[str, str]):
    """Every variable is set."""

    def __getitem__(self, name: str) -> str:
        return _SOMETHING

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def check_syntax(dockerfile: Dockerfile) -> None:
    """Raises InvalidDockerfile."""
    for instruction in dockerfile.instructions:
        try:
            _check(instruction, Scope(_AnyVariables(), dockerfile.escape))
        except InvalidDockerfile:
            raise
        except BuildFailed:
            continue  # that is of a value, which isn't known yet


def _check(instruction: Instruction, scope: Scope) -> None:
    match instruction.name:
        case "COPY" | "ADD":
            check_copy(instruction, scope)
        case "ARG":
            arguments.defaults(instruction, scope.variables, scope.escape)
        case "RUN":
            check_flags(instruction)
            if not instruction.text:
                raise InvalidDockerfile("RUN requires at least one argument", instruction.line)
        case "WORKDIR" | "MAINTAINER":
            check_flags(instruction)
            required(instruction)
        case name if name in _LATER:
            check_flags(instruction)
            if not instruction.text:
                raise InvalidDockerfile(f"{name} requires at least one argument", instruction.line)
        case name if name in CHANGES:
            change_of(ExecutionConfiguration(), instruction, scope)
