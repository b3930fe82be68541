"""Instructions that only change how a container of the image runs. Pure."""

import posixpath
from collections.abc import Callable

import msgspec

from sampan.engine.build.dockerfile import Instruction
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.expansion import assignments, expand, words
from sampan.engine.images.documents import ExecutionConfiguration

_SHELL = ("/bin/sh", "-c")


class Scope(msgspec.Struct, frozen=True):
    """What an instruction may refer to: variables, and the file's escape character."""

    variables: dict[str, str]
    escape: str


Change = Callable[[ExecutionConfiguration, Instruction, Scope], ExecutionConfiguration]


def command_line(instruction: Instruction) -> tuple[str, ...]:
    """The JSON form as it stands, the shell form through a shell."""
    listed = instruction.json_form()
    return tuple(listed) if listed is not None else (*_SHELL, instruction.text)


def variables_of(execution: ExecutionConfiguration) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in execution.env or ())


def working_folder(execution: ExecutionConfiguration, text: str) -> str:
    return posixpath.normpath(posixpath.join(execution.working_dir or "/", text))


def _environment(
    execution: ExecutionConfiguration, instruction: Instruction, scope: Scope
) -> ExecutionConfiguration:
    added = assignments(instruction.text, scope.variables, scope.escape, instruction.line)
    merged = variables_of(execution) | added
    env = tuple(f"{name}={value}" for name, value in merged.items())
    return msgspec.structs.replace(execution, env=env)


def _labels(
    execution: ExecutionConfiguration, instruction: Instruction, scope: Scope
) -> ExecutionConfiguration:
    added = assignments(instruction.text, scope.variables, scope.escape, instruction.line)
    return msgspec.structs.replace(execution, labels=(execution.labels or {}) | added)


def _command(
    execution: ExecutionConfiguration, instruction: Instruction, _: Scope
) -> ExecutionConfiguration:
    return msgspec.structs.replace(execution, cmd=command_line(instruction))


def _entrypoint(
    execution: ExecutionConfiguration, instruction: Instruction, _: Scope
) -> ExecutionConfiguration:
    # The command of the base was made for another entrypoint.
    return msgspec.structs.replace(execution, entrypoint=command_line(instruction), cmd=None)


def _expose(
    execution: ExecutionConfiguration, instruction: Instruction, scope: Scope
) -> ExecutionConfiguration:
    ports = dict(execution.exposed_ports or {})
    for word in words(instruction.text, scope.variables, scope.escape, instruction.line):
        number, _, protocol = word.partition("/")
        if not number.isdecimal() or not 0 < int(number[:6]) < 65536:
            raise BuildFailed(f"{word[:40]!r} is not a port", instruction.line)
        if protocol.lower() not in ("", "tcp", "udp", "sctp"):
            raise BuildFailed(f"{protocol[:40]!r} is not a protocol", instruction.line)
        ports[f"{number}/{protocol.lower() or 'tcp'}"] = {}
    return msgspec.structs.replace(execution, exposed_ports=dict(sorted(ports.items())))


def _user(
    execution: ExecutionConfiguration, instruction: Instruction, scope: Scope
) -> ExecutionConfiguration:
    user = expand(instruction.text, scope.variables, scope.escape, instruction.line)
    if not user:
        raise BuildFailed("USER names nobody", instruction.line)
    return msgspec.structs.replace(execution, user=user)


def _stop_signal(
    execution: ExecutionConfiguration, instruction: Instruction, scope: Scope
) -> ExecutionConfiguration:
    name = expand(instruction.text, scope.variables, scope.escape, instruction.line)
    return msgspec.structs.replace(execution, stop_signal=name)


def _volumes(
    execution: ExecutionConfiguration, instruction: Instruction, scope: Scope
) -> ExecutionConfiguration:
    listed = instruction.json_form() or words(
        instruction.text, scope.variables, scope.escape, instruction.line
    )
    volumes = dict(execution.volumes or {}) | {path: {} for path in listed}
    return msgspec.structs.replace(execution, volumes=volumes)


CHANGES: dict[str, Change] = {
    "ENV": _environment,
    "LABEL": _labels,
    "CMD": _command,
    "ENTRYPOINT": _entrypoint,
    "EXPOSE": _expose,
    "USER": _user,
    "STOPSIGNAL": _stop_signal,
    "VOLUME": _volumes,
}
