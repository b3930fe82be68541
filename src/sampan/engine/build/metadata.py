"""Instructions that only change how a container of the image runs. Pure.

Each gives the new configuration and the words in which the image's history tells of it: those
of Docker's classic builder, which later builds compare. Source: the Dockerfile reference.
"""

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from sampan.engine.build.dockerfile import Instruction, parse_dockerfile, parse_instruction
from sampan.engine.build.errors import BuildFailed, InvalidDockerfile
from sampan.engine.build.expansion import assignments, expand, expand_text, words
from sampan.engine.build.health import health_check, health_told
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import ExecutionConfiguration
from sampan.engine.runtime.signals import signal_number

DEFAULT_SHELL = ("/bin/sh", "-c")
_PROTOCOLS = ("tcp", "udp", "sctp")
_PORT_RANGE_LIMIT = 65_536


class Scope(msgspec.Struct, frozen=True):
    """What an instruction may refer to: variables, and the file's escape character."""

    variables: Mapping[str, str]
    escape: str

    def words(self, instruction: Instruction) -> list[str]:
        return words(instruction.text, self.variables, self.escape, instruction.line)

    def expand(self, text: str, line: int) -> str:
        return expand(text, self.variables, self.escape, line)

    def expand_text(self, text: str, line: int) -> str:
        return expand_text(text, self.variables, self.escape, line)

    def assignments(self, instruction: Instruction) -> dict[str, str]:
        return assignments(
            instruction.text, self.variables, self.escape, instruction.line, instruction.name
        )


class Changed(msgspec.Struct, frozen=True):
    execution: ExecutionConfiguration
    told: str


Change = Callable[[ExecutionConfiguration, Instruction, Scope], Changed]


def shell_of(execution: ExecutionConfiguration) -> tuple[str, ...]:
    return execution.shell or DEFAULT_SHELL


def command_line(instruction: Instruction, execution: ExecutionConfiguration) -> tuple[str, ...]:
    """The JSON form as it stands, the shell form through the image's shell."""
    listed = instruction.json_form()
    if listed is not None:
        return tuple(listed)
    return (*shell_of(execution), instruction.text) if instruction.text else ()


def variables_of(execution: ExecutionConfiguration) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in execution.env or ())


def working_folder(execution: ExecutionConfiguration, text: str) -> str:
    """An absolute path without `.` and `..`."""
    folder = posixpath.normpath(posixpath.join("/", execution.working_dir, text))
    return "/" + folder.lstrip("/")


def quoted(texts: Iterable[str]) -> str:
    """A list as Go's `%q` shows it: `["a" "b"]`."""
    return "[" + " ".join(msgspec.json.encode(text).decode() for text in texts) + "]"


def change_of(execution: ExecutionConfiguration, instruction: Instruction, scope: Scope) -> Changed:
    """Apply one of `CHANGES`. Raises BuildFailed."""
    check_flags(instruction)
    return CHANGES[instruction.name](execution, instruction, scope)


def check_flags(instruction: Instruction) -> None:
    """Raises InvalidDockerfile."""
    known = _FLAGS.get(instruction.name, frozenset())
    for flag, _ in instruction.flags:
        if flag not in known:
            raise InvalidDockerfile(f"unknown flag: --{flag[:60]}", instruction.line)


def required(instruction: Instruction) -> str:
    """The text of an instruction that takes exactly one argument."""
    if not instruction.text:
        raise InvalidDockerfile(
            f"{instruction.name} requires exactly one argument", instruction.line
        )
    return instruction.text


def _environment(
    execution: ExecutionConfiguration, instruction: Instruction, scope: Scope
) -> Changed:
    added = scope.assignments(instruction)
    merged = variables_of(execution) | added
    env = tuple(f"{name}={value}" for name, value in merged.items())
    told = "ENV" + "".join(f" {name}={value}" for name, value in added.items())
    return Changed(msgspec.structs.replace(execution, env=env), told)


def _labels(execution: ExecutionConfiguration, instruction: Instruction, scope: Scope) -> Changed:
    added = scope.assignments(instruction)
    labels = (execution.labels or {}) | added
    told = "LABEL" + "".join(f" {name}={value}" for name, value in added.items())
    return Changed(msgspec.structs.replace(execution, labels=labels), told)


def _command(execution: ExecutionConfiguration, instruction: Instruction, _: Scope) -> Changed:
    command = command_line(instruction, execution)
    changed = msgspec.structs.replace(execution, cmd=command, args_escaped=False)
    return Changed(changed, f"CMD {quoted(command)}")


def _entrypoint(execution: ExecutionConfiguration, instruction: Instruction, _: Scope) -> Changed:
    # The command of the base was made for another entrypoint; the builder keeps one that this
    # Dockerfile set.
    entrypoint = command_line(instruction, execution)
    changed = msgspec.structs.replace(execution, entrypoint=entrypoint)
    return Changed(changed, f"ENTRYPOINT {quoted(entrypoint)}")


def _expose(execution: ExecutionConfiguration, instruction: Instruction, scope: Scope) -> Changed:
    ports = dict(execution.exposed_ports or {})
    listed = [port for word in scope.words(instruction) for port in word.split()]
    if not listed:
        raise InvalidDockerfile("EXPOSE requires at least one argument", instruction.line)
    for port in listed:
        ports |= {name: {} for name in _ports(port, instruction.line)}
    changed = msgspec.structs.replace(execution, exposed_ports=dict(sorted(ports.items())))
    return Changed(changed, "EXPOSE " + " ".join(sorted(listed)))


def _ports(text: str, line: int) -> list[str]:
    numbers, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise BuildFailed(f"Invalid proto: {protocol[:40]}", line)
    # What stands before the container's own port says where to publish it: no image's business.
    first, _, last = numbers.rpartition(":")[2].partition("-")
    start, end = _port(first, text, line), _port(last or first, text, line)
    if end < start:
        raise BuildFailed(f"Invalid containerPort: {text[:60]}", line)
    return [f"{number}/{protocol}" for number in range(start, end + 1)]


def _port(digits: str, text: str, line: int) -> int:
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= 5
    if not is_number or int(digits) >= _PORT_RANGE_LIMIT:
        raise BuildFailed(f"Invalid containerPort: {text[:60]}", line)
    return int(digits)


def _user(execution: ExecutionConfiguration, instruction: Instruction, scope: Scope) -> Changed:
    user = scope.expand(required(instruction), instruction.line)
    return Changed(msgspec.structs.replace(execution, user=user), f"USER {user}")


def _stop_signal(
    execution: ExecutionConfiguration, instruction: Instruction, scope: Scope
) -> Changed:
    name = scope.expand(required(instruction), instruction.line)
    try:
        signal_number(name)
    except InvalidConfiguration as error:
        raise BuildFailed(f"Invalid signal: {name[:40]}", instruction.line) from error
    return Changed(msgspec.structs.replace(execution, stop_signal=name), f"STOPSIGNAL {name}")


def _volumes(execution: ExecutionConfiguration, instruction: Instruction, scope: Scope) -> Changed:
    listed = instruction.json_form()
    paths = (
        scope.words(instruction)
        if listed is None
        else [scope.expand(path, instruction.line) for path in listed]
    )
    if not paths:
        raise InvalidDockerfile("VOLUME requires at least one argument", instruction.line)
    if not all(path.strip() for path in paths):
        raise InvalidDockerfile("VOLUME specified can not be an empty string", instruction.line)
    volumes = dict(execution.volumes or {}) | {path: {} for path in paths}
    changed = msgspec.structs.replace(execution, volumes=volumes)
    return Changed(changed, f"VOLUME [{' '.join(paths)}]")


def _shell(execution: ExecutionConfiguration, instruction: Instruction, _: Scope) -> Changed:
    listed = instruction.json_form()
    if listed is None:
        raise InvalidDockerfile("SHELL requires the arguments to be in JSON form", instruction.line)
    if not listed:
        raise InvalidDockerfile("SHELL requires at least one argument", instruction.line)
    changed = msgspec.structs.replace(execution, shell=tuple(listed))
    return Changed(changed, f"SHELL [{' '.join(listed)}]")


def _health(execution: ExecutionConfiguration, instruction: Instruction, _: Scope) -> Changed:
    check = health_check(instruction)
    changed = msgspec.structs.replace(execution, healthcheck=check)
    return Changed(changed, f"HEALTHCHECK {health_told(check)}")


def _trigger(execution: ExecutionConfiguration, instruction: Instruction, scope: Scope) -> Changed:
    if not instruction.text:
        raise InvalidDockerfile("ONBUILD requires at least one argument", instruction.line)
    later = parse_instruction(instruction.text, scope.escape, instruction.line)
    if later.name == "ONBUILD":
        raise InvalidDockerfile(
            "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", instruction.line
        )
    if later.name in ("FROM", "MAINTAINER"):
        raise InvalidDockerfile(
            f"{later.name} isn't allowed as an ONBUILD trigger", instruction.line
        )
    text = instruction.text + "".join(
        f"\n{heredoc.content}{heredoc.name}" for heredoc in instruction.heredocs
    )
    triggers = (*(execution.on_build or ()), text)
    return Changed(msgspec.structs.replace(execution, on_build=triggers), f"ONBUILD {text}")


CHANGES: dict[str, Change] = {
    "ENV": _environment,
    "LABEL": _labels,
    "CMD": _command,
    "ENTRYPOINT": _entrypoint,
    "EXPOSE": _expose,
    "USER": _user,
    "STOPSIGNAL": _stop_signal,
    "VOLUME": _volumes,
    "SHELL": _shell,
    "HEALTHCHECK": _health,
    "ONBUILD": _trigger,
}
_COPYING = frozenset(["chown", "chmod", "link", "exclude", "parents"])
_FLAGS = {
    "FROM": frozenset(["platform"]),
    "RUN": frozenset(["mount", "network", "security", "device"]),
    "COPY": _COPYING | {"from"},
    "ADD": _COPYING | {"checksum", "keep-git-dir", "unpack"},
    "HEALTHCHECK": frozenset(["interval", "timeout", "start-period", "start-interval", "retries"]),
}


def apply_changes(
    execution: ExecutionConfiguration, changes: Sequence[str]
) -> ExecutionConfiguration:
    """Instructions as `commit` and `import` take them. Raises InvalidConfiguration."""
    try:
        for text in changes:
            _check_change(text.split(maxsplit=1)[0] if text.strip() else "")
            for instruction in parse_dockerfile(text).instructions:
                if instruction.name == "WORKDIR":
                    folder = working_folder(execution, required(instruction))
                    execution = msgspec.structs.replace(execution, working_dir=folder)
                else:
                    _check_change(instruction.name)
                    scope = Scope(variables_of(execution), "\\")
                    execution = change_of(execution, instruction, scope).execution
    except BuildFailed as error:
        raise InvalidConfiguration(str(error)) from error
    return execution


def _check_change(name: str) -> None:
    if name and name.upper() != "WORKDIR" and name.upper() not in CHANGES:
        raise InvalidConfiguration(f"{name[:60].lower()} is not a valid change command")
